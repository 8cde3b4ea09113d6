"""`enroll bench`: how fast the product is here, beside what an expert would write by hand."""

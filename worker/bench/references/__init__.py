"""What the product is measured against, each tuned as an expert would."""

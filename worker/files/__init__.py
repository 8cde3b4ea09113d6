"""Files of leads, read record by record: CSV, NDJSON, XLSX, from a disk or from a connection."""

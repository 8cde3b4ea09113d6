"""What the operations page shows: every number of it is read from SQL here, in one snapshot, within a time limit."""

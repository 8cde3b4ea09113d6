"""Every statement that writes or locks, one noun a file."""

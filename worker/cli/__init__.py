"""The command line `enroll`: one noun a file, `main` puts them together."""

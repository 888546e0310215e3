"""What the project adds to a Dask process; the same files serve every platform."""

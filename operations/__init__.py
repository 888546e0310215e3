"""What a person runs: the ``dask-cluster`` command."""

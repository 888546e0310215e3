module dask-cluster/sandbox/pause

go 1.24.0

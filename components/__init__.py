"""Code that runs under Pulumi: one module for each part of a cluster, and the cluster itself."""

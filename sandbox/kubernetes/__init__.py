"""Kubernetes: a real one on this machine, with two nodes, for rehearsals of clusters in pods."""

"""The parts of a cluster on Kubernetes, one subject in each module."""

"""This machine as the ground of rehearsals: what hosts and Kubernetes both need of it."""

"""What runs in a pod of the cluster on Kubernetes; nothing here is imported anywhere else.

- `clients`: the API server, as the scheduler's pod asks it.
- `pods`: what a pod's status says.
- `fleet`: the Deployments of the worker groups, as the scaler sees a fleet.
"""

"""What can go wrong with the Kubernetes of this machine."""


class KubernetesError(Exception):
    """This machine cannot be, or no longer is, a Kubernetes; the message says what to do."""

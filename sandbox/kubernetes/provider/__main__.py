"""The process of the plugin."""

from sandbox.kubernetes.provider.service import Provider
from sandbox.provider_protocol import serve

if __name__ == "__main__":
    serve(Provider())

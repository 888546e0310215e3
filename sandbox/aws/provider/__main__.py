"""The process of the plugin."""

from sandbox.aws.provider.service import Provider
from sandbox.provider_protocol import serve

if __name__ == "__main__":
    serve(Provider())

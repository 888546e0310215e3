"""AWS on loopback: a server on moto, and the provider plugin that talks to it."""

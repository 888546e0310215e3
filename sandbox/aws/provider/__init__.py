"""A provider plugin for pulumi-aws's resource types, which only works against this machine.

It stands in for the real `pulumi-resource-aws` in rehearsals: same tokens, same inputs and outputs,
same decisions, but every call goes to an endpoint on loopback.
"""

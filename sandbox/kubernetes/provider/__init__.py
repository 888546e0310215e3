"""A provider plugin for pulumi-kubernetes's resource types, for clusters on this machine only.

It stands in for the real `pulumi-resource-kubernetes` in rehearsals: same tokens, inputs, outputs
and decisions, made against a real API server, whose address must be one of this machine's own.
"""

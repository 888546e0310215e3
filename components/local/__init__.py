"""This machine as the place where a cluster runs: its folder, files, supervisor and processes.

Each module holds one Pulumi resource with its provider, in an importable module because Pulumi
keeps providers in the state by reference: do not rename the classes or the modules.
"""

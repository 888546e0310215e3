"""A small deployment engine on Pulumi's own gRPC protocol, for stacks that live on one machine.

It runs an unmodified Pulumi program, calls provider plugins as Pulumi does, and keeps a state that
`pulumi stack import` takes. What it does not support is an error.
"""

from engine.errors import EngineError
from engine.events import Event, Listener
from engine.project import Project
from engine.reporter import Result
from engine.stack import Stack
from engine.state import ResourceState

__all__ = ["EngineError", "Event", "Listener", "Project", "ResourceState", "Result", "Stack"]

"""A small deployment engine on Pulumi's own gRPC protocol, for stacks that live on one machine.

It runs an unmodified Pulumi program, calls provider plugins as Pulumi does, and keeps a state that
`pulumi stack import` takes. What it does not support is an error. What lies where:

- The way in: `project` (Pulumi.yaml), `stack` (the public operations), `events` (what a listener is
  told), `display` (what a person sees), `errors`, `signals`.
- Configuration: `config` (the stack file, resolved), `declarations` (what Pulumi.yaml says about
  keys), `yaml`.
- One run: `operation` (services and processes), `session` (the order of things), `reporter`.
- The program: `program`, `monitor` and `engine_service` (what it calls), `registration` (reading
  one of its resources).
- Deciding: `planner`, `diffs`, `deletes`, `refresh`, `steps` (what a plan is made of), `paths`
  (property paths), `urns`.
- Doing: `executor`, `registry` (providers by reference), `provider` (one of them), `connection` and
  `answers` (its gRPC), `plugins` (finding and starting), `processes` and `child`.
- Keeping: `snapshot` (the state while it changes), `state`, `values`, `serialize` (JSON),
  `integrity`, `store` (the folder), `files`, `crypter`, `lock`.
"""

from engine.errors import EngineError
from engine.events import Event, Listener
from engine.project import Project
from engine.reporter import Result
from engine.stack import Stack
from engine.state import ResourceState

__all__ = ["EngineError", "Event", "Listener", "Project", "ResourceState", "Result", "Stack"]

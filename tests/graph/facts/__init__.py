"""What holds for the security of every stack, one check for each fact."""

from tests.graph.facts import data, identities, machines, networks
from tests.graph.facts.accepted import ACCEPTED
from tests.graph.facts.fact import FACTS, Accepted, Fact

__all__ = ["ACCEPTED", "FACTS", "Accepted", "Fact", "data", "identities", "machines", "networks"]

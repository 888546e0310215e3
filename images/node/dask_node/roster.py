"""The names of the registered workers, as JSON on the dashboard's port.

Whoever starts workers asks here whether they have come, often and without Dask or a certificate.
Dask's own `/json/identity.json` answers with an error while tasks run: it holds metrics whose keys
are tuples (distributed 2026.8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornado.web import RequestHandler

if TYPE_CHECKING:
    from distributed import Scheduler

PATH = "/dask-cluster/workers.json"


class _Roster(RequestHandler):
    def initialize(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler

    def get(self) -> None:
        """Answer with the names of all registered workers, in no order."""
        self.write({"workers": [str(w.name) for w in self.scheduler.workers.values()]})


def install(scheduler: Scheduler) -> None:
    """Serve the names beside Dask's own pages."""
    scheduler.http_application.add_handlers(".*$", [(PATH, _Roster, {"scheduler": scheduler})])

"""The ports of a cluster, written once: firewall rules, processes and checks all read them here."""

SCHEDULER = 8786
DASHBOARD = 8787
WORKERS = range(9000, 9100)
NANNIES = range(9100, 9200)
WORKER_DASHBOARDS = range(9200, 9300)

RANGES = {
    "workers": WORKERS,
    "nannies": NANNIES,
    "worker dashboards": WORKER_DASHBOARDS,
}
"""What listens in which range. Process n of a machine takes the n-th port of each."""

PROCESSES_ON_A_MACHINE = len(WORKERS)
FIRST_FREE = 1024
LAST = 65535

"""A small package of one's own, as it lies beside an analysis: `make demo` sends it to workers."""

NAMES = {
    "AA": "American",
    "AS": "Alaska",
    "B6": "JetBlue",
    "DL": "Delta",
    "UA": "United",
    "US": "US Airways",
    "WN": "Southwest",
}


def name(carrier: str) -> str:
    """Return an airline's name by its two-letter code, or the code itself."""
    return NAMES.get(carrier, carrier)

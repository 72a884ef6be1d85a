"""Published benchmarks as suites. Each module covers one family and lists its suites in `SUITES`."""

from unmirage.evaluate.suites.base import Found, Item, LoadedSuite, Purpose, Suite
from unmirage.evaluate.suites.load import SUITES, find_suite, load_suite, suite_pictures

__all__ = [
    "SUITES",
    "Found",
    "Item",
    "LoadedSuite",
    "Purpose",
    "Suite",
    "find_suite",
    "load_suite",
    "suite_pictures",
]

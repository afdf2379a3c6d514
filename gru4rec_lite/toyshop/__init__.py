"""A small outdoor shop, simulated (`simulate`), and the best that any recommender can do in it (`Oracle`)."""

from .oracle import Oracle, next_click
from .shop import DAYS, LINES, MEAN_CLICKS, RELOAD, SHELVES, TRIPS, Process, process, simulate

__all__ = [
    "DAYS", "LINES", "MEAN_CLICKS", "RELOAD", "SHELVES", "TRIPS", "Oracle", "Process", "next_click", "process",
    "simulate",
]  # fmt: skip

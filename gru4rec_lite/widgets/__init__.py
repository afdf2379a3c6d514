"""Interactive figures of the book: anywidgets that compute and draw in the browser, with or without a kernel.

A widget is imported on first use, so training does not need anywidget.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .batching import Batching
    from .gates import Gates
    from .losses import Losses
    from .network import Network
    from .ranking import Ranking
    from .sampling import Sampling
    from .session import Session

__all__ = ["Batching", "Gates", "Losses", "Network", "Ranking", "Sampling", "Session"]


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f".{name.lower()}", __name__), name)
    except ModuleNotFoundError as error:
        if error.name not in ("anywidget", "traitlets"):
            raise
        raise ImportError("the widgets need anywidget: pip install anywidget") from error


def __dir__() -> list[str]:
    return __all__

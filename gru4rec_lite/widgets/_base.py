"""What every widget of the book is: an anywidget with a text form, a still picture, and its own small JavaScript."""

from __future__ import annotations

import base64
import io
import os
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import anywidget

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACCENT = "#0b5cad"  # the one accent colour of `_shared.css`, for still pictures
INK, PALE = "#1f2328", "#e7e9ec"


def source(*names: str) -> str:
    """Text of ``_shared.EXT`` followed by that of the widget's own files, e.g. ``source("batching.js")``."""
    here, extension = files(__package__), names[0].rpartition(".")[2]
    return "\n".join((here / part).read_text(encoding="utf-8") for part in (f"_shared.{extension}", *names))


class BookWidget(anywidget.AnyWidget):
    """An anywidget with a stable text form, and a still picture for viewers that show no widgets (GitHub, PDF).

    A subclass sets ``_esm = source("name.js")`` and ``_css = source("name.css")``; it defines `alt_text` and `poster`.

    Raises:
        ValueError: a setting that the widget does not have.
    """

    def __init__(self, **settings: Any):
        for name, value in settings.items():
            if name not in self.trait_names():
                raise ValueError(f"{name}={value!r}: {type(self).__name__} has no such setting")
        super().__init__(**settings)

    def alt_text(self) -> str:
        """One sentence that says what the picture shows now."""
        raise NotImplementedError

    def poster(self) -> Figure:
        """A matplotlib figure of the current state."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"[interactive: {self.alt_text()} Run the cell to use it.]"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        data["text/plain"] = repr(self)
        if os.environ.get("BOOK_POSTERS"):  # only when notebooks are refreshed: a reader's kernel need not draw twice
            png = io.BytesIO()
            self.poster().savefig(png, format="png", dpi=100, metadata={"Software": None})
            data["image/png"] = base64.b64encode(png.getvalue()).decode()
            metadata["image/png"] = {"alt": repr(self)}
        return data, metadata

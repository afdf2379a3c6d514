"""The bug museum: each known bug of GRU4Rec implementations as a small variant of our own code.

`EXHIBITS` are the bugs B1 to B19, each with a card and with cases in which a check tells the bug from our code. Inside
``with bug("B4"):`` our own GRU4Rec is trained and evaluated with one.
"""

from __future__ import annotations

from .bugs import BUGS, bug
from .card import Case, Exhibit, code
from .exhibits import EXHIBITS, FURTHER

__all__ = ["BUGS", "EXHIBITS", "FURTHER", "Case", "Exhibit", "bug", "code"]

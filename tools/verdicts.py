"""What printed outputs say in words, without their figures: what must not change from machine to machine.

Figures are numbers, with their sign, thousands suffix and exponent, and item ids such as "A13" (a few letters and a
number): a list that a trained model recommends is a figure, since near ties decide it. Everything else is a verdict:
words, True and False, names of models and the order of the rows of a table, labels, and the alt text of pictures.
"""

from __future__ import annotations

import difflib
import re
from typing import Any

FIGURE = re.compile(r"[-+−]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[-+]?\d+)?%?|\b(?:nan|inf)\b|\b[A-Z]{1,3}\d+\b", re.IGNORECASE)
RULE = re.compile(r"[-─=_|]{3,}")


def words(text: str) -> list[str]:
    """The words of a text in order; a figure is "#"."""
    text = re.sub(r"<(style|script|svg).*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL)
    return RULE.sub(" ", FIGURE.sub("#", text)).split()


def said(outputs: list[Any]) -> list[str]:
    """The words of a cell's outputs: prints, values, tables, alt texts. Stderr is not stored, so not compared."""
    found: list[str] = []
    for out in outputs:
        if out.get("name") == "stdout":
            found += words(out["text"])
        for kind, text in sorted(out.get("data", {}).items()):
            if kind in ("text/plain", "text/html", "text/markdown"):
                found += words("".join(text))
            alt = out.get("metadata", {}).get(kind, {})
            if kind.startswith("image/"):
                found += ["picture:", *words(alt.get("alt", "") if isinstance(alt, dict) else "")]
    return found


def changed(before: list[Any], after: list[Any]) -> list[str]:
    """A line for each place where the words of two outputs differ."""
    old, new = said(before), said(after)
    steps = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [
        f"said {' '.join(old[max(a - 3, 0) : b + 3])!r}, now {' '.join(new[max(c - 3, 0) : d + 3])!r}"
        for kind, a, b, c, d in steps
        if kind != "equal"
    ]

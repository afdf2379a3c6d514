"""What the tests of the widgets share."""

from __future__ import annotations


def press(page, *keys: str) -> None:
    """Press keys in a browser, one after the other."""
    for key in keys:
        page.keyboard.press(key)

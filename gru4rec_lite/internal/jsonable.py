"""Values as JSON, or a word on which part of them JSON cannot hold."""

from __future__ import annotations

import json
from typing import Any

from .checks import shown


def to_json(value: Any, name: str) -> str:
    """The value as JSON; ValueError that names the part of it that JSON cannot hold, and where it stands."""
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        place, part = _not_json(name, value)
        kinds = "None, True, False, text, numbers, or lists and dicts of these"
        raise ValueError(f"{place}={shown(part)}: must be something that JSON can hold: {kinds} ({error})") from error


def _not_json(place: str, value: Any, depth: int = 20) -> tuple[str, Any]:
    """The first part of a value that JSON cannot hold, and its place."""
    if depth and isinstance(value, dict):
        keys = [key for key in value if not isinstance(key, (str, int, float, bool, type(None)))]
        if keys:
            return f"{place}, key", keys[0]
        parts = [(f"{place}[{key!r}]", part) for key, part in value.items()]
    elif depth and isinstance(value, (list, tuple)):
        parts = [(f"{place}[{number}]", part) for number, part in enumerate(value)]
    else:
        return place, value
    for inner, part in parts:
        try:
            json.dumps(part)
        except (TypeError, ValueError, RecursionError):
            return _not_json(inner, part, depth - 1)
    return place, value

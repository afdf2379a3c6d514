"""Remedies of errors, done as they say."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy
import pandas
import pyarrow

import gru4rec_lite
from gru4rec_lite.clicks.refusals import FROM_FILE

CODE = re.compile(r"(?:clicks|pandas|\(clicks)\b.*", re.DOTALL)


def code_of(message: str) -> str:
    """The code of a remedy: from the first name of a library, as far as it is Python."""
    words = message.split("Remedy: ", 1)[1].split(FROM_FILE)[0].removesuffix(".")
    words = words.split("if the rows stand in order of time, ")[-1]  # where nothing else can be known
    for start in CODE.finditer(words):
        for end in range(len(words), start.start(), -1):
            code = words[start.start() : end].strip()
            try:
                compile(code, "remedy", "exec")
            except SyntaxError:
                continue
            if "(" in code or "=" in code or "/" in code or "." in code:
                return code
    raise AssertionError(f"no code in {message}")


def done(clicks: Any, message: str) -> Any:
    """The clicks after the remedy: a statement about ``clicks``, or what is to stand in the column."""
    code = code_of(message)
    names = {"pandas": pandas, "numpy": numpy, "pyarrow": pyarrow, "gru4rec_lite": gru4rec_lite}
    names["clicks"] = clicks.copy() if isinstance(clicks, pandas.DataFrame) else clicks
    is_statement = re.match(r"clicks(\[[^\]]*\]|\.columns)? = ", code)
    column = None if is_statement else re.match(r"Column '([^']*)'", message)[1]
    exec(code if is_statement else f"clicks[{column!r}] = {code}", names)
    return names["clicks"]


def follow(clicks: Any, use: Callable[[Any], Any], most: int = 4) -> tuple[Any, list[str]]:
    """The clicks that ``use`` accepts, and the messages on the way: a remedy may be followed by another one."""
    messages: list[str] = []
    while True:
        try:
            use(clicks)
            return clicks, messages
        except gru4rec_lite.clicks.ClickLogError as error:
            messages.append(str(error))
            assert len(messages) <= most, messages
            clicks = done(clicks, str(error))

"""What all exercises share: any answer is read, whatever it is."""

from __future__ import annotations

import functools
from collections.abc import Callable

UNANSWERED = "Not answered yet: put your answer or your code into this cell and run it again."


def answer_is(expected: str) -> Callable:
    """Whatever a reader gives, the check prints and never raises; ``expected`` describes an answer."""

    def wrap(check: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(check)
        def checked(*answers) -> None:
            try:
                check(*answers)
            except Exception as error:  # a reader may give anything
                print(f"That cannot be read as an answer: give {expected}. ({type(error).__name__}: {error})")

        return checked

    return wrap

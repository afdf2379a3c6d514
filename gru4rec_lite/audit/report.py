"""What an audit saw: a finding for each check, as text, as a table, or as an error that nobody can overlook."""

from __future__ import annotations

import html
import textwrap
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

MARKS = {True: ("✓", "passed"), False: ("✗", "failed"), None: ("–", "not tried")}
HERE = Path(__file__).parent


class Failed(Exception):
    """Raised by a check that found something; its text says what was seen."""


class NotTried(Exception):
    """Raised by a check that cannot run here; its text says why, and what it needs."""


@dataclass(frozen=True)
class Finding:
    """What one check saw."""

    check: str
    passed: bool | None  # None: not tried
    seen: str  # in words and numbers
    exhibit: str  # bugs of the museum that this check catches: "B1", "B4 B5", or ""


@dataclass(frozen=True)
class Report:
    """The findings of an audit, in the order of its checks."""

    subject: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """True if no check failed. The report says which were not tried, and why."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that failed."""
        return tuple(f.check for f in self.findings if f.passed is False)

    def __getitem__(self, check: str) -> Finding:
        found = [f for f in self.findings if f.check == check]
        if not found:
            raise ValueError(f"check={check!r}: must be one of {', '.join(f.check for f in self.findings)}")
        return found[0]

    def frame(self) -> pd.DataFrame:
        """One row per check: check, passed (missing where it was not tried), seen, exhibit."""
        frame = pd.DataFrame(self.findings, columns=["check", "passed", "seen", "exhibit"])
        return frame.astype({"passed": "boolean"})

    def require(self, *checks: str) -> None:
        """AssertionError naming the failed checks; with names, only these checks, which must all have been tried."""
        asked = [self[check] for check in checks] or [f for f in self.findings if f.passed is not None]
        bad = [f for f in asked if not f.passed]
        if bad:
            lines = [f"{MARKS[f.passed][1]}: {f.check}: {f.seen}" for f in bad]
            raise AssertionError(f"audit of {self.subject}\n" + "\n".join(lines))

    def __repr__(self) -> str:
        return "\n".join([self._title(), *map(_paragraph, self.findings)])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{' '.join(MARKS[f.passed])}</td><td>{html.escape(f.check)}</td>"
            f'<td style="text-align: left">{html.escape(f.seen)}</td><td>{f.exhibit}</td></tr>'
            for f in self.findings
        )
        heads = "".join(f'<th scope="col">{head}</th>' for head in ("", "check", "what was seen", "exhibit"))
        title = f"<caption>{html.escape(self._title())}</caption>"
        return f"<table>{title}<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"

    def _title(self) -> str:
        count = [sum(f.passed is passed for f in self.findings) for passed in (True, False, None)]
        return f"audit of {self.subject}: {count[0]} checks passed, {count[1]} failed, {count[2]} not tried"


def _paragraph(finding: Finding) -> str:
    museum = f"  [museum {finding.exhibit}]" if finding.exhibit and finding.passed is False else ""
    seen = textwrap.fill(finding.seen, 100, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
    return f"{MARKS[finding.passed][0]} {finding.check}{museum}\n{seen}"


Check = Callable[..., str]


def check(name: str, exhibit: str = "") -> Callable[[Check], Check]:
    """Name a check: a function that returns what it saw, or raises `Failed` or `NotTried`."""

    def wrap(function: Check) -> Check:
        function.name, function.exhibit = name, exhibit  # type: ignore[attr-defined]
        return function

    return wrap


def run(subject: str, checks: list[Check], *given: Any) -> Report:
    """Run all checks. A crash in the audited code is a failed check, and is reported once."""
    findings: list[Finding] = []
    for function in checks:
        found = _finding(function, given)
        if found.passed is False and found.seen in (f.seen for f in findings):
            found = replace(found, passed=None, seen=f"not tried: as above, {found.seen}")
        findings.append(found)
    return Report(subject, tuple(findings))


def _finding(function: Any, given: tuple) -> Finding:
    passed: bool | None = True
    try:
        seen = function(*given)
    except NotTried as why:
        passed, seen = None, f"not tried: {why}"
    except Failed as why:
        passed, seen = False, str(why)
    except Exception as error:
        passed, seen = False, crash(error)
    return Finding(function.name, passed, seen, function.exhibit)


def crash(error: Exception) -> str:
    """What went wrong in the audited code, and in which line of it."""
    outside = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).parent != HERE]
    own = [f for f in outside if "site-packages" not in f.filename and not f.filename.startswith("<")]
    at = f" ({Path(own[-1].filename).name}, line {own[-1].lineno}, in {own[-1].name})" if own else ""
    text = " ".join(str(error).split())
    return f"it raised {type(error).__name__}: {textwrap.shorten(text, 300) or 'without a message'}{at}"


def name_of(thing: Any) -> str:
    """What to call an audited function or object."""
    return getattr(thing, "__name__", None) or type(thing).__name__


def share(some: int, of: int, what: str) -> str:
    """For example "37 of 120 rows"."""
    return f"{some:,} of {of:,} {what}"

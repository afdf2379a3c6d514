"""What an exhibit is: a bug, its variants, its card, and cases in which a check tells the bug from our code."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd


def code(variant: Callable, name: str = "variant") -> str:
    """Source of a variant under another name and without its docstring, which would give the bug away."""
    if not (inspect.isfunction(variant) or inspect.ismethod(variant)):
        raise ValueError(f"variant={variant!r}: must be a function or a method, whose source can be shown")
    tree = ast.parse(textwrap.dedent(inspect.getsource(variant))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    tree.name = name
    tree.body = tree.body[1:] if ast.get_docstring(tree) else tree.body
    return ast.unparse(tree)


@dataclass(frozen=True)
class Case:
    """``check(ours)`` passes, ``check(variant)`` raises AssertionError.

    ``check_name`` is a function of `museum.checks`, or the check of an `audit` report that fails.
    """

    what: str
    check_name: str
    check: Callable[[Any], None]
    ours: Any
    variant: Any


@dataclass(frozen=True)
class Exhibit:
    """One bug of public GRU4Rec implementations."""

    number: str  # "B1"
    title: str
    found_in: str  # whose code has or had it, with a public source
    price: str  # what it costs, or why that cannot be measured
    shows: str  # what a user would notice
    variants: tuple[Callable, ...]  # the bug in our own code
    cases: tuple[Case, ...]

    def code(self) -> str:
        """The bug in code: source of the variants, without their docstrings."""
        return "\n\n\n".join(_named(variant) for variant in self.variants)

    def caught(self) -> pd.DataFrame:
        """Each case, run now: columns what, check, ours, variant ("passes" or "fails")."""
        rows = [(c.what, c.check_name, _verdict(c.check, c.ours), _verdict(c.check, c.variant)) for c in self.cases]
        return pd.DataFrame(rows, columns=["what", "check", "ours", "variant"])

    def card(self) -> str:
        """The card in Markdown."""
        checks = "\n".join(f"- {case.what}: `{case.check_name}`" for case in self.cases)
        return (
            f"### {self.number} · {self.title}\n\n```python\n{self.code()}\n```\n\n**Who it bit.** {self.found_in}\n\n"
            f"**What it costs.** {self.price}\n\n**What you would notice.** {self.shows}\n\n"
            f"**Which check catches it.**\n\n{checks}\n"
        )

    def _repr_markdown_(self) -> str:
        return self.card()


def _named(variant: Callable) -> str:
    owner = variant.__qualname__.rpartition(".")[0]  # a method's class
    return f"# of the class {owner}\n" * bool(owner) + code(variant, variant.__name__)


def _verdict(check: Callable[[Any], None], candidate: Any) -> str:
    try:
        check(candidate)
    except AssertionError:
        return "fails"
    return "passes"

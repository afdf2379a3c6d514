"""A hash of the code that a row of a table depends on, by which stale rows are found.

What cannot change a figure is left out of it: words (docstrings, comments, messages of errors) and guards, which raise
or do nothing. So a clearer error makes no table of hours stale, and anything else does.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GUARD = re.compile(r"_?(check|require|refuse)(_\w+)?$")  # functions of such a name raise, or return nothing
PACKAGE = Path(__file__).parent.parent


def code_hash(modules: Sequence[str]) -> str:
    """A hash of the modules' syntax trees without words and guards; the same in every version of Python."""
    digest = hashlib.sha256()
    for module in modules:
        digest.update(repr(shape(ast.parse((PACKAGE / f"{module}.py").read_text("utf8")))).encode())
    return digest.hexdigest()[:12]


def shape(node: Any, strict: bool = False) -> Any:
    """A syntax tree as nested lists, without words, guards and empty fields (which differ between Pythons).

    Args:
        strict: keep guards, as inside a ``try`` whose ``except`` may go on with something else.
    """
    if isinstance(node, list):
        return [shape(child, strict) for child in node if not (_is_text(child) or (_is_guard(child) and not strict))]
    if isinstance(node, ast.Raise) and not strict:
        return ["Raise"]
    if isinstance(node, ast.ImportFrom):
        node = ast.ImportFrom(node.module, [a for a in node.names if not GUARD.match(a.name)], node.level)
    if isinstance(node, ast.AST):
        strict = strict or isinstance(node, ast.Try)
        fields = [(name, shape(value, strict)) for name, value in ast.iter_fields(node) if value not in (None, [])]
        return [type(node).__name__, *fields]
    return repr(node)


def _is_text(node: Any) -> bool:
    """A docstring, or another constant that stands alone as a statement."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_guard(node: Any) -> bool:
    """A statement that raises or does nothing, or the definition or import of what makes one."""
    if isinstance(node, ast.If):
        only_raises = all(isinstance(child, ast.Raise) for child in node.body) and not node.orelse
        return only_raises and not any(isinstance(child, ast.NamedExpr) for child in ast.walk(node.test))
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        function = node.value.func
        return bool(GUARD.match(getattr(function, "attr", getattr(function, "id", ""))))
    if isinstance(node, ast.FunctionDef):
        gives = (ast.Return, ast.Yield, ast.YieldFrom)
        returns = any(isinstance(child, gives) and child.value is not None for child in ast.walk(node))
        return bool(GUARD.match(node.name)) and not returns
    if isinstance(node, ast.ImportFrom):
        return all(GUARD.match(alias.name) for alias in node.names)
    return isinstance(node, ast.Import) and all(alias.asname is None for alias in node.names)

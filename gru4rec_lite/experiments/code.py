"""A hash of the code that a row of a table depends on, by which stale rows are found.

What cannot change a figure is left out of it: words (docstrings, comments, messages of errors), guards, which raise or
do nothing, and where a name is imported from. So a clearer error and a function that moves to another module make no
table of hours stale, and anything else does. An error that a row catches (`CAUGHT`) is a figure of it, and no guard.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GUARD = re.compile(r"_?(check|require|refuse)(_\w+)?$")  # functions of such a name raise, or return nothing
CAUGHT = ("Diverged",)  # where a row says that it diverged
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
        imports = [child for child in node if isinstance(child, ast.ImportFrom)]
        renamed = sorted((a.name, a.asname) for child in imports for a in child.names if a.asname)
        rest = [child for child in node if child not in imports and not _is_text(child)]
        return renamed + [shape(child, strict) for child in rest if strict or not _is_guard(child)]
    if isinstance(node, ast.Raise) and not strict:
        return ["Raise", _caught(node)]
    if isinstance(node, ast.AST):
        strict = strict or isinstance(node, ast.Try)
        fields = [(name, shape(value, strict)) for name, value in ast.iter_fields(node) if value not in (None, [])]
        return [type(node).__name__, *fields]
    return repr(node)


def _is_text(node: Any) -> bool:
    """A docstring, or another constant that stands alone as a statement."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _caught(node: ast.Raise) -> str:
    """The name of the error that is raised, if a row catches it."""
    named = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    name = getattr(named, "attr", getattr(named, "id", ""))
    return name if name in CAUGHT else ""


def _is_guard(node: Any) -> bool:
    """A statement that raises or does nothing, or the definition of what makes one; an import that renames nothing."""
    if isinstance(node, ast.AST) and any(isinstance(c, ast.Raise) and _caught(c) for c in ast.walk(node)):
        return False
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
    return isinstance(node, ast.Import) and all(alias.asname is None for alias in node.names)

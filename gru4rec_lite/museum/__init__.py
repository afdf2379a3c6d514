"""The bug museum: each known bug of GRU4Rec implementations as a small variant of our own code."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable


def code(variant: Callable, name: str = "variant") -> str:
    """Source of an exhibit under another name and without its docstring, which would give the bug away."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(variant))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    tree.name = name
    tree.body = tree.body[1:] if ast.get_docstring(tree) else tree.body
    return ast.unparse(tree)

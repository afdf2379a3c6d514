"""A hash of the code that a row of a table depends on, to find stale rows.

The hash leaves out what cannot change a figure: text (docstrings, comments, error messages); guards, which raise or do
nothing, and with them the rules of settings and arguments; and places: the module and order in which things are
defined, and where names are imported from. So a clearer error, or a function that moves to another module, does not
make a table of many hours stale; anything else does. An error that a row catches (`CAUGHT`) counts as a figure, not as
a guard.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GUARD = re.compile(r"_?(check|require|refuse)(_\w+)?$")  # functions with such names raise, or return nothing
CAUGHT = ("Diverged",)  # a row records that its training diverged
PACKAGE = Path(__file__).parent.parent
# what a row about a log depends on, and what a row about a network also depends on
LOGS = (
    *(f"clicks/{name}" for name in ("columns", "cutting", "encoding", "filters", "frames", "ids", "order")),
    *("clicks/timeless", "clicks/times"),
    "toyshop/shop", "toyshop/oracle", "batching", "metrics", "evaluation", "recommender", "internal/blocks",
)  # fmt: skip
NETWORK = (
    *("cells", "network", "sampling", "losses", "optim", "training", "gru4rec"),
    *(f"internal/{name}" for name in ("ambient", "compiling", "device")),
)


def code_hash(modules: Sequence[str]) -> str:
    """A hash of what the modules define, without text and guards; the same in every version of Python.

    A name is a module or, with ``/*``, all modules of a folder.
    """
    found, known = set(), _modules()
    for module in modules:
        paths = sorted(PACKAGE.glob(f"{module}.py"))
        if not paths:
            raise FileNotFoundError(f"a table depends on the module {module!r}, which does not exist")
        for path in paths:
            tree = ast.parse(path.read_text("utf8"))
            found |= {repr(one) for one in shape(_Unplaced(tree, known).visit(tree).body)}
    return hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()[:12]


class _Unplaced(ast.NodeTransformer):
    """Remove from a module's tree how it reaches other modules: ``training.train`` becomes ``train``."""

    def __init__(self, tree: ast.Module, known: list[str]):
        self.known = known
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        self.modules = {a.asname or a.name for node in imports for a in node.names if self._is_module(node, a)}

    def _is_module(self, node: ast.ImportFrom, alias: ast.alias) -> bool:
        """Whether ``from .module import alias`` imports a module of the package."""
        end = "/" + "/".join([*(node.module or "").split("."), alias.name]).lstrip("/")
        return node.level > 0 and any(module.endswith(end) for module in self.known)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        node.names = [alias for alias in node.names if not self._is_module(node, alias)]
        return node if node.names else None

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        self.generic_visit(node)
        is_ours = isinstance(node.value, ast.Name) and node.value.id in self.modules
        return ast.Name(node.attr, node.ctx) if is_ours else node

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)  # keep only a setting's value: its rule is a guard
        return node.args[0] if isinstance(node.func, ast.Name) and node.func.id == "setting" else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.decorator_list = [one for one in node.decorator_list if ".arguments(" not in ast.unparse(one)]  # no rules
        return self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> Any:
        return None if ast.unparse(node.targets[0]) == "__all__" else self.generic_visit(node)

    def visit_If(self, node: ast.If) -> Any:
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


def _modules() -> list[str]:
    """``/clicks``, ``/clicks/order``, ``/losses``, ..."""
    found = (path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.glob("**/*.py"))
    return ["/" + name.removesuffix("/__init__") for name in found]


def shape(node: Any, strict: bool = False) -> Any:
    """A syntax tree as nested lists, without text, guards and empty fields (which differ between Python versions).

    Args:
        strict: keep guards, as inside a ``try`` whose ``except`` may continue with something else.
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
    """Whether a node is a docstring, or another constant alone as a statement."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _caught(node: ast.Raise) -> str:
    """The name of the raised error if a row catches it, else ""."""
    named = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    name = getattr(named, "attr", getattr(named, "id", ""))
    return name if name in CAUGHT else ""


def _is_guard(node: Any) -> bool:
    """Whether a node is a statement that raises or does nothing, or defines one; or an import that renames nothing."""
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

"""From the source of an own block to its class: checked, then executed in a namespace that holds the allowed names only.

Every turn of a loop and every call of a function is counted while it runs: a step that would not end in good time raises, as
the trial has seen some inputs only, and a scan that waits for one block is lost for all.
"""

from __future__ import annotations

import ast
import builtins
import importlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from scada.blocks.own import OwnBlock
from tags import own


def _sum(items: Iterable[Any], start: Any = 0) -> Any:
    """From left to right; CPython computes `sum` of floats otherwise from 3.12 on, and a replay must not differ."""
    total = start
    for item in items:
        total = total + item
    return total


RANGE_MAX: Final = 100_000
TURNS_MAX: Final = 100_000  # of one step, some milliseconds


class EndlessError(RuntimeError):
    """A step makes more turns than a scan has time for; no `except` of a block can name it."""


class _Turns:
    """Turns of loops and calls of functions since a step began; of all own blocks, as they run one after the other."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = TURNS_MAX

    def __call__(self) -> bool:
        self.left -= 1
        if self.left < 0:
            raise EndlessError(f"a step makes more than {TURNS_MAX} turns. Do less in one step")
        return True


_turns: Final = _Turns()


def begin() -> None:
    """A step begins: it has all its turns."""
    _turns.left = TURNS_MAX


def _range(*ends: int) -> range:
    """As `range`, but a loop ends in good time."""
    made = range(*ends)
    if len(made) > RANGE_MAX:
        raise ValueError(f"a loop of {len(made)} steps; at most {RANGE_MAX} are made")
    _turns.left -= len(made) >> 6  # what goes through it in C counts too, if less
    return made


def _times(left: Any, right: Any) -> Any:
    """`[0.0] * n`: as long as a loop may be."""
    for one, many in ((left, right), (right, left)):
        if isinstance(one, list | tuple | str) and isinstance(many, int) and len(one) * many > RANGE_MAX:
            raise ValueError(f"a list of {len(one) * many} places; at most {RANGE_MAX} are made")
    return left * right


class _Counted(ast.NodeTransformer):
    """Counts turns and calls in the source of own blocks. No name of a block has `__` in it."""

    def visit_For(self, node: ast.For) -> ast.For:
        self.generic_visit(node)
        node.body.insert(0, ast.copy_location(ast.Expr(_call("__turn__")), node.body[0]))
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.body.insert(0, ast.copy_location(ast.Expr(_call("__turn__")), node.body[0]))
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        self.generic_visit(node)
        node.body = ast.copy_location(ast.BoolOp(ast.And(), [_call("__turn__"), node.body]), node.body)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.comprehension:
        self.generic_visit(node)
        node.ifs.insert(0, ast.copy_location(_call("__turn__"), node.iter))
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.Mult) and (_is_row(node.left) or _is_row(node.right)):
            return ast.copy_location(_call("__times__", node.left, node.right), node)
        return node


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])


def _is_row(node: ast.expr) -> bool:
    return isinstance(node, ast.List | ast.Tuple | ast.ListComp | ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _import(name: str, _globals: Any = None, _locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
    if level or name not in own.IMPORTS or not set(fromlist or ()) <= own.IMPORTS[name]:
        raise ImportError(f"{name} is not for blocks")
    return importlib.import_module(name)


_BUILTINS: Final[dict[str, Any]] = {
    **{name: getattr(builtins, name) for name in own.SAFE},
    "sum": _sum,
    "range": _range,
    "__build_class__": builtins.__build_class__,
    "__import__": _import,
    "__turn__": _turns,
    "__times__": _times,
    "staticmethod": staticmethod,
}


def load(source: str, file: str, name: str) -> tuple[own.Own, type[OwnBlock]]:
    """A class of own blocks and its declarations.

    Args:
        source: Of the file.
        file: Its name.
        name: Of the class.

    Raises:
        tags.own.OwnError: The source breaks a rule.
        ValueError: There is no such class.
    """
    declared, classes = _module(source, file)
    if name not in declared:
        raise ValueError(f"{file} has no block {name}")
    return declared[name], classes[name]


@lru_cache(maxsize=256)
def _module(source: str, file: str) -> tuple[dict[str, own.Own], dict[str, type[OwnBlock]]]:
    return module(source, file)


def module(source: str, file: str) -> tuple[dict[str, own.Own], dict[str, type[OwnBlock]]]:
    """All classes of a file, made anew: declarations and classes by name; raises `tags.own.OwnError` as `load` does."""
    declared = own.read(source, file)
    # Dataclasses look up the module of their class by its name: it must be one that exists.
    space: dict[str, Any] = {"__builtins__": dict(_BUILTINS), "__name__": "scada.blocks.own"}
    tree = ast.fix_missing_locations(_Counted().visit(ast.parse(source)))
    exec(compile(tree, file, "exec", own.FLAGS, dont_inherit=True), space)  # noqa: S102 - `own.read` has allowed each node of it
    return declared, {name: space[name] for name in declared}


def problem_of(error: BaseException, file: str) -> tuple[int, str]:
    """Line in a file, and text, of what its code raised."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line, f"{type(error).__name__}: {error}"


def plain(value: Any) -> Any:
    """A state as it is kept and taken back: JSON knows no tuple."""
    return tuple(value) if isinstance(value, list) else value


def changed(value: Any, member: own.Member) -> Any:
    """A value as its declaration has it: a whole number is a float where one is declared.

    Raises:
        TypeError: It is of another type, or not finite in a state; or an output of whole numbers beyond 32 bits.
    """
    if member.type == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not own.fits(value, member.type) and not (member.kind == "output" and isinstance(value, float)):
        raise TypeError(f"{value!r} is not a {member.type}")
    if member.kind == "output" and member.type == "int" and not -(2**31) <= value < 2**31:
        raise TypeError(f"{value!r} does not fit into 32 bits")  # as its tag has
    return value

"""The mutants of a module: one small change each, made in its syntax tree."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_BINARY: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Add,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.Pow: ast.Mult,
}  # fmt: skip
_CALLS = {"min": "max", "max": "min", "all": "any", "any": "all"}


@dataclass(frozen=True)
class Mutant:
    """One change of one module.

    Attributes:
        file: Of the module.
        site: Number of the node in the order of `ast.walk`.
        way: Which change of that node.
        line: Of the source.
        function: Qualified name of the outermost function around it, or "" outside of functions.
        text: What was and what is, for people.
        source: Of the module, as it was read: a later edit of the file does not move the mutant.
    """

    file: Path
    site: int
    way: int
    line: int
    function: str
    text: str
    source: str = field(repr=False)

    @property
    def module(self) -> str:
        """Name that the module is imported by."""
        return ".".join(self.file.with_suffix("").parts).removesuffix(".__init__")

    def code(self) -> CodeType:
        """The module with the change, compiled."""
        tree = ast.parse(self.source)
        node = list(ast.walk(tree))[self.site]
        list(_changes(node))[self.way](node)
        return compile(ast.fix_missing_locations(tree), str(self.file), "exec")


def mutants(file: Path) -> list[Mutant]:
    """All mutants of a module, in a fixed order."""
    source = file.read_text()
    tree = ast.parse(source)
    left_out, functions = set(_left_out(tree)), dict(_functions(tree))
    found = []
    for site, node in enumerate(ast.walk(tree)):
        if id(node) in left_out:
            continue
        for way, change in enumerate(_changes(node)):
            changed = copy.deepcopy(node)
            change(changed)
            text = f"{_short(node)}  ->  {_short(changed)}"
            found.append(
                Mutant(file, site, way, getattr(node, "lineno", 0), functions.get(id(node), ""), text, source)
            )
    return found


class _Change:
    """Sets one attribute of a node."""

    def __init__(self, name: str, value: object, at: int = -1) -> None:
        self.name, self.value, self.at = name, value, at

    def __call__(self, node: ast.AST) -> None:
        if self.at < 0:
            setattr(node, self.name, self.value)
        else:
            getattr(node, self.name)[self.at] = self.value


def _changes(node: ast.AST) -> Iterator[_Change]:
    match node:
        case ast.Compare():
            for at, op in enumerate(node.ops):
                yield _Change("ops", _COMPARE[type(op)](), at)
        case ast.BoolOp():
            yield _Change("op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
        case ast.BinOp() | ast.AugAssign() if type(node.op) in _BINARY:
            yield _Change("op", _BINARY[type(node.op)]())
        case ast.If() | ast.IfExp() | ast.While():
            yield _Change("test", _negated(node.test))
        case ast.comprehension(ifs=[_, *_]):
            yield _Change("ifs", [])
        case ast.Constant(value=bool()):
            yield _Change("value", not node.value)
        case ast.Constant(value=int() | float() as number):
            yield _Change("value", number + 1)
        case ast.Call(func=ast.Name(id=name)) if name in _CALLS:
            yield _Change("func", ast.Name(_CALLS[name], ast.Load()))
        case ast.Return(value=ast.expr() as value) if not _is_none(value) and not _is_false(value):
            yield _Change("value", ast.Constant(None))
        case ast.Assign(value=value) if not _is_none(value):
            yield _Change("value", ast.Constant(None))
        case ast.Expr(value=ast.Call()):
            yield _Change("value", ast.Constant(None))
        case ast.Continue():
            yield _Change("__class__", ast.Break)
        case ast.Break():
            yield _Change("__class__", ast.Continue)
        case _:
            pass


def _negated(test: ast.expr) -> ast.expr:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    return ast.UnaryOp(ast.Not(), test)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_false(node: ast.expr) -> bool:
    """False and what is empty: to who asks whether there is something, None is the same."""
    match node:
        case ast.Constant(value=False) | ast.List(elts=[]) | ast.Tuple(elts=[]) | ast.Dict(keys=[]):
            return True
    return False


def _left_out(tree: ast.AST) -> Iterator[int]:
    """Nodes whose change no test can or should see: annotations, decorators, messages, `strict=`, what has no name."""
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                parts = [*node.decorator_list, node.returns]
            case ast.ClassDef():
                parts = list(node.decorator_list)
            case ast.arg() | ast.AnnAssign():
                parts = [node.annotation]
            case ast.Raise():
                parts = [node.exc]
            case ast.JoinedStr() | ast.Assert() | ast.Import() | ast.ImportFrom():
                parts = [node]
            case ast.keyword(arg="strict"):
                parts = [node.value]
            case ast.Assign(targets=[ast.Name(id=name)]) if name.startswith("__"):
                parts = [node]
            case _:
                pass
        for part in parts:
            if part is not None:
                yield from (id(inner) for inner in ast.walk(part))


def _functions(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Nodes inside of functions, with the name of the outermost one as `co_qualname` has it."""

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[int, str]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                yield from walk(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from (
                    (id(inner), prefix + child.name) for part in child.body for inner in ast.walk(part)
                )

    return walk(tree, "")


def _short(node: ast.AST) -> str:
    if isinstance(node, ast.If | ast.While):
        node = node.test
    elif isinstance(node, ast.comprehension):
        return " ".join(f"if {ast.unparse(test)}" for test in node.ifs) or "(no condition)"
    text = ast.unparse(node).splitlines()[0]
    return text if len(text) <= 90 else text[:87] + "..."

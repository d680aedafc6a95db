"""The rules of functions: statements, expressions, names, and what of an object may be reached."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field

from tags.own.declared import Member, a
from tags.own.lists import (
    API,
    CONSTANTS,
    DECLARING,
    EXPONENT_MAX,
    EXPRESSIONS,
    INNER,
    INSTEAD,
    MATH,
    METHODS,
    SAFE,
    STATEMENTS,
    TYPES,
    WHY,
)


@dataclass(slots=True)
class OwnClass:
    """One class while it is read."""

    node: ast.ClassDef
    members: dict[str, Member] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)  # methods and constants
    on_bad: str = "hold"


class Rules:
    """Walks functions and constants; what is not allowed becomes a problem.

    Attributes:
        problems: (line, column, text).
        names: That the file binds.
        fields: Of helper classes.
        classes: Of blocks, by name.
    """

    def __init__(self) -> None:
        self.problems: list[tuple[int, int, str]] = []
        self.names: set[str] = set()
        self.fields: set[str] = set()
        self.classes: dict[str, OwnClass] = {}

    def report(self, node: ast.AST, text: str) -> None:
        """Records what is wrong, and what to do, at the place of a node."""
        self.problems.append((getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1, text))

    def constant(self, node: ast.Assign | ast.AnnAssign) -> None:
        """A name for a value that never changes."""
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if not isinstance(target, ast.Name):
                self.report(node, "a constant has one name. Write NAME = value")
            elif target.id in SAFE or "__" in target.id:
                self.report(node, f"the name {target.id} is taken. Choose another one")
        if isinstance(node, ast.AnnAssign):
            self.type_(node.annotation)
        if node.value is not None:
            self.fixed(node.value)

    def fixed(self, node: ast.expr) -> None:
        """Looks at a value that must never change: of a constant, or of an argument that is left out."""
        for part in ast.walk(node):
            if isinstance(part, ast.expr) and not isinstance(part, CONSTANTS):
                text = "a constant is made of numbers, texts and tuples: what can change is a State"
                self.report(part, f"{text}. Write a tuple, or declare a State")
                return
        self._expression(node, frozenset(), None)

    def type_(self, node: ast.expr | None) -> None:
        """Looks at the type of something: a name, or names put together; it is never evaluated."""
        for part in () if node is None else ast.walk(node):
            if isinstance(part, ast.expr) and not isinstance(part, TYPES):
                self.report(part, "write a plain type here, for example float or tuple[float, ...]")
                return

    def taken(self, node: ast.AST, name: str) -> None:
        """Refuses a name for a field, a function or a constant that the interpreter uses itself."""
        if name in INNER:
            self.report(node, f"the name {name} is taken. Choose another one")

    def function(self, node: ast.FunctionDef, owner: OwnClass | None) -> None:
        """Looks at a function.

        Args:
            node: The function.
            owner: The block whose method it is; None for a function of the file or of a helper.
        """
        if "__" in node.name:
            self.report(
                node, f"{node.name} is Python's own. Choose another name, and let declarations begin a block"
            )
        static = [one.id for one in node.decorator_list if isinstance(one, ast.Name)] == ["staticmethod"]
        if node.decorator_list and not static:
            self.report(node, "a function of a block has no decorator but staticmethod. Leave it out")
        if getattr(node, "type_params", None):
            self.report(node, "a function of a block has no type parameters. Leave them out")
        self.taken(node, node.name)
        args = node.args
        for one in (*args.posonlyargs, *args.args, *args.kwonlyargs):
            self.type_(one.annotation)
        self.type_(node.returns)
        if args.vararg or args.kwarg:
            self.report(node, "name the arguments: * and ** are not used in a block")
        for default in (*args.defaults, *(one for one in args.kw_defaults if one is not None)):
            self.fixed(default)
        local = {one.arg for one in (*args.posonlyargs, *args.args, *args.kwonlyargs)}
        if owner is not None and not static and (not args.args or args.args[0].arg != "self"):
            self.report(node, "its first argument is self. Write it")
        method = owner if owner is not None and not static else None
        for name in local | _bound(node):
            if "__" in name or name in SAFE or name in self.names:
                self.report(node, f"the name {name} is taken. Choose another one")
        known = frozenset(local | _bound(node))
        for statement in node.body:
            self._statement(statement, known, method)

    def _statement(self, node: ast.stmt, known: frozenset[str], owner: OwnClass | None) -> None:
        if not isinstance(node, STATEMENTS):
            instead = INSTEAD.get(type(node), "this is not used in a block. Leave it out")
            self.report(node, instead)
            if isinstance(node, ast.While | ast.With):  # what is in it is wrong or right by itself
                for inner in node.body:
                    self._statement(inner, known, owner)
            return
        if isinstance(node, ast.AnnAssign):
            self.type_(node.annotation)
        if isinstance(node, ast.Try):
            for handler in node.handlers:
                if handler.type is None:
                    self.report(handler, "name what is caught, for example except ZeroDivisionError")
        for part in ast.iter_child_nodes(node):
            if not isinstance(node, ast.AnnAssign) or part is not node.annotation:
                self._part(part, known, owner)

    def _part(self, node: ast.AST, known: frozenset[str], owner: OwnClass | None) -> None:
        if isinstance(node, ast.stmt):
            self._statement(node, known, owner)
        elif isinstance(node, ast.expr):
            self._expression(node, known, owner)
        else:
            for part in ast.iter_child_nodes(node):
                self._part(part, known, owner)

    def _expression(self, node: ast.expr, known: frozenset[str], owner: OwnClass | None) -> None:
        if not isinstance(node, EXPRESSIONS):
            self.report(node, INSTEAD.get(type(node), "this is not used in a block. Leave it out"))
            return
        match node:
            case ast.Name():
                self._use(node, known)
            case ast.Attribute():
                self._member_of(node, known, owner)
                return
            case ast.Call(func=ast.Name() | ast.Attribute()):
                pass
            case ast.Call():
                self.report(node, "call a function by its name")
            case ast.BinOp(op=ast.Pow(), right=right) if not _small(right):
                self.report(node, f"** takes a number up to {EXPONENT_MAX} here. Use math.pow")
            case ast.BinOp(op=ast.LShift() | ast.MatMult()):
                self.report(node, "this operator is not used in a block. Multiply")
            case ast.Lambda(args=args) if args.defaults or args.kw_defaults or args.vararg or args.kwarg:
                self.report(node, "a lambda has plain arguments only")
            case ast.Constant(value=value) if not isinstance(value, int | float | str | bool | None):
                self.report(node, "a value is a number, a text, true, false or None")
        for part in ast.iter_child_nodes(node):
            self._part(part, known, owner)

    def _use(self, node: ast.Name, known: frozenset[str]) -> None:
        name = node.id
        if name == "self" and "self" in known:
            self.report(node, "self is used with a name behind it only: self.name")
        elif name in DECLARING and name not in known:
            self.report(node, f"{name} is for declarations only. Leave it out here")
        elif name in known or name in self.names or name in SAFE:
            return
        elif hasattr(builtins, name) or name.startswith("__"):
            self.report(
                node, f"{name} is not for blocks: {WHY.get(name, 'it is not on the list')}. Leave it out"
            )
        else:
            self.report(node, f"unknown name {name}. Correct it")

    def _member_of(self, node: ast.Attribute, known: frozenset[str], owner: OwnClass | None) -> None:
        name, base = node.attr, node.value
        stored = not isinstance(node.ctx, ast.Load)
        if isinstance(base, ast.Name) and base.id == "self" and "self" in known:
            self._of_self(node, owner, stored=stored)
            return
        self._expression(base, known, owner)
        if stored:
            self.report(node, f".{name} cannot be set here: a block changes its own outputs and states only")
        elif isinstance(base, ast.Name) and base.id == "math" and "math" not in known:
            if name not in MATH:
                self.report(node, f"math.{name} is not for blocks. Use another function of math")
        elif isinstance(base, ast.Name) and base.id in self.classes:
            if name not in self.classes[base.id].names:
                self.report(node, f"{base.id} has no constant or function {name}. Correct it")
        elif name not in METHODS and name not in self.fields:
            self.report(node, f".{name} is not for blocks. Use plain values, lists and dicts")

    def _of_self(self, node: ast.Attribute, owner: OwnClass | None, *, stored: bool) -> None:
        name = node.attr
        if owner is None:  # of a helper: its fields
            if stored or name not in self.fields:
                self.report(node, f"self.{name} is not there, or cannot be set. Make a new one by replace")
            return
        member = owner.members.get(name)
        if member is None and (stored or (name not in owner.names and name not in API)):
            self.report(node, f"self.{name} is not declared. Write {name}: float = State(0.0) in the class")
        elif stored and member is not None and member.kind in ("input", "setting"):
            self.report(
                node, f"self.{name} is {a(member.kind)} and cannot be set. Use a State or another name"
            )


def _small(node: ast.expr) -> bool:
    """A literal exponent that cannot make a number of thousands of digits."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, int | float)
        and abs(node.value) <= EXPONENT_MAX
    )


def _bound(node: ast.AST) -> set[str]:
    """Names that a function assigns."""
    return set(_stores(node))


def _stores(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id
        elif isinstance(part, ast.ExceptHandler) and part.name:
            yield part.name
        elif isinstance(part, ast.Lambda):
            yield from (one.arg for one in (*part.args.posonlyargs, *part.args.args, *part.args.kwonlyargs))

"""What a user's own block in Python may be: its declarations, and the rules that keep it pure; nothing is executed here.

A source is read as a syntax tree. What is not on the lists below is refused: they name everything that a function of
its inputs, settings and state needs, and nothing that leads out of it (time, randomness, files, network, other modules, the
interpreter itself, state that is not declared). The same rules are checked again before a source is executed.
"""

from __future__ import annotations

import ast
import builtins
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

SIZE_MAX: Final = 64 * 1024
BASE: Final = "OwnBlock"
KINDS: Final = {"Input": "input", "Output": "output", "Setting": "setting", "State": "state"}
API: Final = frozenset({"good", "fresh", "applied", "tracking"})
ON_BAD: Final = ("hold", "run")
EXPONENT_MAX: Final = 64

# math of CPython 3.11, without what later versions compute otherwise: a recording replays on each of them.
MATH: Final = frozenset(
    {
        "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "comb", "copysign", "cos", "cosh",
        "degrees", "e", "erf", "erfc", "exp", "exp2", "expm1", "fabs", "floor", "fmod", "frexp", "fsum", "gcd", "hypot",
        "inf", "isclose", "isfinite", "isinf", "isnan", "isqrt", "lcm", "ldexp", "log", "log10", "log1p", "log2", "modf",
        "nan", "nextafter", "pi", "pow", "prod", "radians", "remainder", "sin", "sinh", "sqrt", "tan", "tanh", "tau", "trunc",
        "ulp",
    }
) & frozenset(dir(math))  # fmt: skip
IMPORTS: Final[Mapping[str, frozenset[str]]] = {
    "__future__": frozenset({"annotations"}),
    "dataclasses": frozenset({"dataclass", "replace"}),
    "math": MATH,
    "scada.blocks.own": frozenset({BASE, *KINDS}),
    "typing": frozenset({"ClassVar", "Final", "Literal"}),
}
SAFE: Final = frozenset(
    {
        "abs", "all", "any", "bool", "dict", "divmod", "enumerate", "filter", "float", "int", "isinstance", "len", "list",
        "map", "max", "min", "range", "reversed", "round", "sorted", "str", "sum", "tuple", "zip", "ArithmeticError",
        "IndexError", "KeyError", "OverflowError", "ValueError", "ZeroDivisionError",
    }
)  # fmt: skip
_METHODS: Final = frozenset(
    {
        "append", "clear", "copy", "count", "endswith", "extend", "get", "index", "insert", "is_integer", "items", "join",
        "keys", "lower", "pop", "remove", "reverse", "sort", "split", "startswith", "strip", "update", "upper", "values",
    }
)  # fmt: skip
_STATEMENTS: Final = (
    ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.If, ast.For, ast.Return, ast.Pass, ast.Break, ast.Continue,
    ast.Raise, ast.Try,
)  # fmt: skip
_EXPRESSIONS: Final = (
    ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare,
    ast.IfExp, ast.Call, ast.Tuple, ast.List, ast.Dict, ast.ListComp, ast.DictComp, ast.GeneratorExp, ast.JoinedStr,
    ast.FormattedValue, ast.Starred, ast.Lambda, ast.NamedExpr,
)  # fmt: skip
_CONSTANTS: Final = (ast.Constant, ast.Tuple, ast.UnaryOp, ast.BinOp, ast.Name, ast.Attribute)
_INSTEAD: Final[Mapping[type[ast.AST], str]] = {
    ast.While: "while may never end. Write for … in range(…)",
    ast.Global: "global changes what other blocks see. Declare a State",
    ast.Nonlocal: "nonlocal is hidden state. Declare a State",
    ast.With: "with is for resources, and a block has none. Leave it out",
    ast.Delete: "del is not used in a block. Leave it out",
    ast.Import: "an import stands at the top of the file. Move it",
    ast.ImportFrom: "an import stands at the top of the file. Move it",
    ast.FunctionDef: "a function in a function is not used in a block. Move it to the class or the file",
    ast.ClassDef: "a class stands at the top of the file. Move it",
    ast.Set: "a set has no fixed order. Write a tuple or a dict",
    ast.SetComp: "a set has no fixed order. Write a list or a dict",
    ast.Yield: "a generator keeps hidden state. Return a list",
    ast.YieldFrom: "a generator keeps hidden state. Return a list",
    ast.Await: "a block waits for nothing. Leave it out",
}
_WHY: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("open", "input", "print"), "a block reads its inputs and writes its outputs, nothing else"
    ),
    **dict.fromkeys(("exec", "eval", "compile", "__import__"), "a block makes no code"),
    **dict.fromkeys(("set", "frozenset"), "a set has no fixed order: write a tuple or a dict"),
    **dict.fromkeys(("hash", "id"), "it differs from run to run"),
}
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_RESERVED: Final = frozenset({*API, "step", "on_bad", "mode"})


class OwnError(ValueError):
    """A source that is no block.

    Attributes:
        problems: (line, column, what is wrong and what to do), line and column from 1.
    """

    def __init__(self, problems: list[tuple[int, int, str]]) -> None:
        super().__init__("; ".join(f"line {line}: {text}" for line, _, text in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Member:
    """One declared attribute.

    Attributes:
        kind: `input`, `output`, `setting` or `state`.
        type: `float`, `int`, `bool`, `str`, or `tuple` (a state).
        args: What is written in its declaration: `default`, `unit`, `low`, `high`, `decimals`, `states`, `description`,
            `retain`.
    """

    kind: str
    type: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Own:
    """One class of blocks.

    Attributes:
        name: Of the class.
        file: Relative to the site folder.
        line: Where the class begins.
        source: Of the whole file.
        doc: First line of its docstring.
        on_bad: `hold` (no step while an input is not usable) or `run`.
        members: By name, in their order.
    """

    name: str
    file: str
    line: int
    source: str
    doc: str
    on_bad: str
    members: dict[str, Member]

    def of(self, kind: str) -> dict[str, Member]:
        """Its inputs, outputs, settings or states."""
        return {name: member for name, member in self.members.items() if member.kind == kind}


def read(source: str, file: str) -> dict[str, Own]:
    """The classes of a file, by name.

    Args:
        source: Python.
        file: Its name.

    Raises:
        OwnError: It breaks a rule; with every place.
    """
    if len(source) > SIZE_MAX:
        raise OwnError(
            [(1, 1, f"the file has {len(source)} characters. Split it: at most {SIZE_MAX} are read")]
        )
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line, column = getattr(error, "lineno", None) or 1, getattr(error, "offset", None) or 1
        text = getattr(error, "msg", None) or str(error)
        raise OwnError([(line, max(column, 1), f"not Python: {text}")]) from None
    reader = _Reader(source, file)
    try:
        found = reader.module(tree)
    except RecursionError:
        raise OwnError([(1, 1, "it is nested too deep. Write it flatter")]) from None
    if not reader.problems:
        try:  # what only the compiler sees: a break outside of a loop, a name twice among the arguments
            compile(source, file, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError) as error:
            reader.problems.append((getattr(error, "lineno", None) or 1, 1, f"not Python: {error}"))
    if reader.problems:
        raise OwnError(sorted(set(reader.problems)))
    return found


@dataclass(slots=True)
class _Class:
    """One class while it is read."""

    node: ast.ClassDef
    members: dict[str, Member] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)  # methods and constants
    on_bad: str = "hold"


class _Reader:
    """Walks a file; what is not allowed becomes a problem."""

    def __init__(self, source: str, file: str) -> None:
        self.source, self.file = source, file
        self.problems: list[tuple[int, int, str]] = []
        self.names: set[str] = set()  # of the module
        self.fields: set[str] = set()  # of helper classes
        self.classes: dict[str, _Class] = {}

    def report(self, node: ast.AST, text: str) -> None:
        self.problems.append((getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1, text))

    # -- the file

    def module(self, tree: ast.Module) -> dict[str, Own]:
        for node in tree.body:
            self._declare(node)
        for node in tree.body:
            self._top(node)
        if not self.classes and not self.problems:
            self.report(tree, f"there is no class that derives from {BASE}. Write class Name({BASE}):")
        return {
            name: Own(
                name=name,
                file=self.file,
                line=one.node.lineno,
                source=self.source,
                doc=(ast.get_docstring(one.node) or "").partition("\n")[0],
                on_bad=one.on_bad,
                members=one.members,
            )
            for name, one in self.classes.items()
        }

    def _declare(self, node: ast.stmt) -> None:
        """Names that the file binds, before anything uses them."""
        match node:
            case ast.Import():
                self.names.update(alias.name for alias in node.names)
            case ast.ImportFrom():
                self.names.update(alias.name for alias in node.names)
            case ast.FunctionDef() | ast.ClassDef():
                if node.name in SAFE or node.name in self.names:
                    self.report(node, f"the name {node.name} is taken. Choose another one")
                self.names.add(node.name)
            case ast.Assign() | ast.AnnAssign():
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                self.names.update(target.id for target in targets if isinstance(target, ast.Name))
        if isinstance(node, ast.ClassDef) and not self._is_own(node):
            self.fields.update(
                item.target.id
                for item in node.body
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
            )
            self.fields.update(item.name for item in node.body if isinstance(item, ast.FunctionDef))

    @staticmethod
    def _is_own(node: ast.ClassDef) -> bool:
        return any(isinstance(base, ast.Name) and base.id == BASE for base in node.bases)

    def _top(self, node: ast.stmt) -> None:
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                pass
            case ast.Import():
                for alias in node.names:
                    if alias.name != "math" or alias.asname:
                        self._bad_import(node, alias.name)
            case ast.ImportFrom():
                allowed = IMPORTS.get(node.module or "", frozenset()) if not node.level else frozenset()
                for alias in node.names:
                    if alias.name not in allowed or alias.asname:
                        self._bad_import(node, f"{node.module}.{alias.name}")
            case ast.FunctionDef():
                self._function(node, None)
            case ast.ClassDef():
                if self._is_own(node):
                    self._own(node)
                else:
                    self._helper(node)
            case ast.Assign() | ast.AnnAssign():
                self._constant(node)
            case _:
                self.report(
                    node, "only imports, constants, functions and classes stand here. Move it into step"
                )

    def _bad_import(self, node: ast.AST, name: str) -> None:
        known = (
            "math, dataclasses (dataclass, replace), typing (Final, ClassVar, Literal) and scada.blocks.own"
        )
        self.report(node, f"{name} is not for blocks. There are {known}, by their own names")

    def _constant(self, node: ast.Assign | ast.AnnAssign) -> None:
        """A name for a value that never changes."""
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if not isinstance(target, ast.Name):
                self.report(node, "a constant has one name. Write NAME = value")
            elif target.id in SAFE or "__" in target.id:
                self.report(node, f"the name {target.id} is taken. Choose another one")
        if node.value is not None:
            self._fixed(node.value)

    def _fixed(self, node: ast.expr) -> None:
        for part in ast.walk(node):
            if isinstance(part, ast.expr) and not isinstance(part, _CONSTANTS):
                text = "a constant is made of numbers, texts and tuples: what can change is a State"
                self.report(part, f"{text}. Write a tuple, or declare a State")
                return
        self._expression(node, frozenset(), None)

    # -- classes

    def _helper(self, node: ast.ClassDef) -> None:
        """A frozen dataclass, to keep values together."""
        frozen = any(
            isinstance(one, ast.Call)
            and isinstance(one.func, ast.Name)
            and one.func.id == "dataclass"
            and any(
                key.arg == "frozen" and isinstance(key.value, ast.Constant) and key.value.value is True
                for key in one.keywords
            )
            for one in node.decorator_list
        )
        if not frozen or len(node.decorator_list) > 1 or node.bases or node.keywords:
            text = f"a class is a block, class {node.name}({BASE}):, or a helper, @dataclass(frozen=True)"
            self.report(node, f"{text}. Write one of them")
            return
        for item in node.body:
            match item:
                case ast.Expr(value=ast.Constant(value=str())) | ast.Pass():
                    pass
                case ast.AnnAssign(target=ast.Name(id=name)) if not name.startswith("_"):
                    if item.value is not None:
                        self._fixed(item.value)
                case ast.FunctionDef():
                    self._function(item, None)
                case _:
                    self.report(item, "a helper has fields (name: type) and functions. Leave this out")

    def _own(self, node: ast.ClassDef) -> None:
        made = _Class(node)
        self.classes[node.name] = made
        if len(node.bases) > 1 or node.keywords or node.decorator_list:
            self.report(node, f"a block derives from {BASE} alone. Write class {node.name}({BASE}):")
        for item in node.body:
            if isinstance(item, ast.FunctionDef):
                made.names.add(item.name)
            elif isinstance(item, ast.Assign | ast.AnnAssign):
                self._attribute(made, item)
            elif not (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant)):
                self.report(item, "a block has declarations and functions. Move it into step")
        for item in node.body:
            if isinstance(item, ast.FunctionDef):
                self._function(item, made)
        step = next(
            (one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "step"), None
        )
        if step is None or [arg.arg for arg in step.args.args] != ["self", "dt"]:
            self.report(step or node, f"{node.name} needs def step(self, dt: float) -> None: write it")
        if not any(member.kind == "output" for member in made.members.values()):
            self.report(node, f"{node.name} has no output. Write for example out: float = Output()")

    def _attribute(self, made: _Class, item: ast.Assign | ast.AnnAssign) -> None:
        """A declaration, `on_bad`, or a constant of the class."""
        target = item.targets[0] if isinstance(item, ast.Assign) else item.target
        name = target.id if isinstance(target, ast.Name) else ""
        value = item.value
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in KINDS:
            if isinstance(item, ast.Assign):
                self.report(item, f"{name} needs its type. Write {name}: float = {value.func.id}(…)")
            else:
                self._member(made, item, name, value)
        elif name == "on_bad":
            if isinstance(value, ast.Constant) and value.value in ON_BAD:
                made.on_bad = str(value.value)
            else:
                self.report(item, f"on_bad is one of {', '.join(ON_BAD)}. Correct it")
        elif name.isupper() and value is not None:
            made.names.add(name)
            self._constant(item)
        else:
            text = "an attribute is an Input, Output, Setting or State, or a constant in capitals"
            self.report(item, f"{text}. Declare it")

    def _member(self, made: _Class, item: ast.AnnAssign, name: str, call: ast.Call) -> None:
        assert isinstance(call.func, ast.Name)
        kind = KINDS[call.func.id]
        if not _NAME.fullmatch(name) or name in _RESERVED or name in made.members or name in made.names:
            text = (
                f"{name!r} is not a name for it. Use small letters, digits and '_', each name once, none of"
            )
            self.report(item, f"{text} {', '.join(sorted(_RESERVED))}")
            return
        type_ = _type(item.annotation)
        allowed = {"input": ("float", "bool"), "output": ("float", "int", "bool"),
                   "setting": ("float", "int", "bool", "str"), "state": ("float", "int", "bool", "str", "tuple")}[kind]  # fmt: skip
        if type_ not in allowed:
            shown = ", ".join(one if one != "tuple" else "tuple[float, ...]" for one in allowed)
            self.report(item.annotation, f"an {kind} is one of {shown}. Correct its type")
            return
        args = self._arguments(call, kind)
        if args is None:
            return
        if "default" in args and not fits(args["default"], type_):
            self.report(call, f"{args['default']!r} is not a {type_}. Correct it")
            return
        made.members[name] = Member(kind, type_, args)

    def _arguments(self, call: ast.Call, kind: str) -> dict[str, Any] | None:
        """The literal arguments of a declaration."""
        wanted = _ARGUMENTS[kind]
        given: dict[str, Any] = {}
        for position, value in enumerate(call.args):
            if position >= 2 or list(wanted)[position] not in ("default", "unit"):
                self.report(value, "write it with its name, for example low=0")
                return None
            given[list(wanted)[position]] = value
        for keyword in call.keywords:
            if keyword.arg is None or keyword.arg not in wanted or keyword.arg in given:
                self.report(keyword.value, f"an {kind} takes {', '.join(wanted)}. Correct it")
                return None
            given[keyword.arg] = keyword.value
        found = {}
        for name, node in given.items():
            try:
                found[name] = ast.literal_eval(node)
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                self.report(node, "write the value itself here: a number, a text, true or false, a tuple")
                return None
            if name != "default" and not isinstance(found[name], wanted[name]):
                self.report(node, f"{name} is of another kind. Correct it")
                return None
        if kind in ("setting", "state") and "default" not in found:
            self.report(call, f"a {kind} begins with a value. Write it first")
            return None
        return found

    # -- functions

    def _function(self, node: ast.FunctionDef, owner: _Class | None) -> None:
        if "__" in node.name:
            self.report(
                node, f"{node.name} is Python's own. Choose another name, and let declarations begin a block"
            )
        static = [one.id for one in node.decorator_list if isinstance(one, ast.Name)] == ["staticmethod"]
        if node.decorator_list and not static:
            self.report(node, "a function of a block has no decorator but staticmethod. Leave it out")
        args = node.args
        if args.vararg or args.kwarg:
            self.report(node, "name the arguments: * and ** are not used in a block")
        for default in (*args.defaults, *(one for one in args.kw_defaults if one is not None)):
            self._fixed(default)
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

    def _statement(self, node: ast.stmt, known: frozenset[str], owner: _Class | None) -> None:
        if not isinstance(node, _STATEMENTS):
            instead = _INSTEAD.get(type(node), "this is not used in a block. Leave it out")
            self.report(node, instead)
            return
        if isinstance(node, ast.Try):
            for handler in node.handlers:
                if handler.type is None:
                    self.report(handler, "name what is caught, for example except ZeroDivisionError")
        for part in ast.iter_child_nodes(node):
            self._part(part, known, owner)

    def _part(self, node: ast.AST, known: frozenset[str], owner: _Class | None) -> None:
        if isinstance(node, ast.stmt):
            self._statement(node, known, owner)
        elif isinstance(node, ast.expr):
            self._expression(node, known, owner)
        else:
            for part in ast.iter_child_nodes(node):
                self._part(part, known, owner)

    def _expression(self, node: ast.expr, known: frozenset[str], owner: _Class | None) -> None:
        if not isinstance(node, _EXPRESSIONS):
            self.report(node, _INSTEAD.get(type(node), "this is not used in a block. Leave it out"))
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
        elif name in known or name in self.names or name in SAFE:
            return
        elif hasattr(builtins, name) or name.startswith("__"):
            self.report(
                node, f"{name} is not for blocks: {_WHY.get(name, 'it is not on the list')}. Leave it out"
            )
        else:
            self.report(node, f"unknown name {name}. Correct it")

    def _member_of(self, node: ast.Attribute, known: frozenset[str], owner: _Class | None) -> None:
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
        elif name not in _METHODS and name not in self.fields:
            self.report(node, f".{name} is not for blocks. Use plain values, lists and dicts")

    def _of_self(self, node: ast.Attribute, owner: _Class | None, *, stored: bool) -> None:
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
                node, f"self.{name} is an {member.kind} and cannot be set. Use a State or another name"
            )


_ARGUMENTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "input": {"unit": str, "low": int | float, "high": int | float, "description": str},
    "output": {"unit": str, "low": int | float, "high": int | float, "decimals": int, "states": tuple, "description": str},
    "setting": {"default": object, "unit": str, "low": int | float, "high": int | float, "description": str},
    "state": {"default": object, "retain": bool},
}  # fmt: skip


def _type(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "tuple":
        return "tuple"
    return node.id if isinstance(node, ast.Name) else ""


def fits(value: object, type_: str) -> bool:
    """True when a value is of a declared type: finite, a whole number of 64 bits, a short text, a tuple of such."""
    if type_ == "bool":
        return isinstance(value, bool)
    if type_ == "str":
        return isinstance(value, str) and len(value) <= 255
    if type_ == "tuple":
        return (
            isinstance(value, tuple)
            and len(value) <= 10_000
            and all(fits(one, "bool" if isinstance(one, bool) else "float") for one in value)
        )
    if isinstance(value, bool) or not isinstance(value, int if type_ == "int" else int | float):
        return False
    return -(2**63) <= value < 2**63 if isinstance(value, int) else value - value == 0.0


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

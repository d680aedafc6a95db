"""One file of own blocks: imports, constants, helpers, classes and their declarations."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any, Final

from tags.own.declared import Member, Own, OwnError, a, fits
from tags.own.functions import OwnClass, Rules
from tags.own.lists import API, BASE, FLAGS, IMPORTS, KINDS, ON_BAD, SAFE, SIZE_MAX

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_RESERVED: Final = frozenset({*API, "step", "on_bad", "mode"})


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
    reader = Reader(source, file)
    try:
        found = reader.module(tree)
    except RecursionError:
        raise OwnError([(1, 1, "it is nested too deep. Write it flatter")]) from None
    if not reader.problems:
        try:  # what only the compiler sees: a break outside of a loop, a name twice among the arguments
            compile(source, file, "exec", FLAGS, dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError) as error:
            reader.problems.append((getattr(error, "lineno", None) or 1, 1, f"not Python: {error}"))
    if reader.problems:
        raise OwnError(sorted(set(reader.problems)))
    return found


class Reader(Rules):
    """Walks a file.

    Args:
        source: Python.
        file: Its name.
    """

    def __init__(self, source: str, file: str) -> None:
        super().__init__()
        self.source, self.file = source, file

    # -- the file

    def module(self, tree: ast.Module) -> dict[str, Own]:
        """Looks at all of a file: its blocks, by name of the class."""
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
                self.function(node, None)
            case ast.ClassDef():
                if self._is_own(node):
                    self._own(node)
                else:
                    self._helper(node)
            case ast.Assign() | ast.AnnAssign():
                self.constant(node)
            case _:
                self.report(
                    node, "only imports, constants, functions and classes stand here. Move it into step"
                )

    def _bad_import(self, node: ast.AST, name: str) -> None:
        known = (
            "math, dataclasses (dataclass, replace), typing (Final, ClassVar, Literal) and scada.blocks.own"
        )
        self.report(node, f"{name} is not for blocks. There are {known}, by their own names")

    def _helper(self, node: ast.ClassDef) -> None:
        """A frozen dataclass, to keep values together."""
        frozen = any(
            isinstance(one, ast.Call)
            and isinstance(one.func, ast.Name)
            and one.func.id == "dataclass"
            and not one.args
            and all(isinstance(key.value, ast.Constant) for key in one.keywords)
            and any(
                key.arg == "frozen" and isinstance(key.value, ast.Constant) and key.value.value is True
                for key in one.keywords
            )
            for one in node.decorator_list
        )
        generic = getattr(node, "type_params", None)
        if not frozen or len(node.decorator_list) > 1 or node.bases or node.keywords or generic:
            text = f"a class is a block, class {node.name}({BASE}):, or a helper, @dataclass(frozen=True)"
            self.report(node, f"{text}. Write one of them")
            return
        for item in node.body:
            match item:
                case ast.Expr(value=ast.Constant(value=str())) | ast.Pass():
                    pass
                case ast.AnnAssign(target=ast.Name(id=name)) if not name.startswith("_"):
                    self.taken(item, name)
                    self.type_(item.annotation)
                    if item.value is not None:
                        self.fixed(item.value)
                case ast.FunctionDef():
                    self.function(item, None)
                case _:
                    self.report(item, "a helper has fields (name: type) and functions. Leave this out")

    def _own(self, node: ast.ClassDef) -> None:
        made = OwnClass(node)
        self.classes[node.name] = made
        if len(node.bases) > 1 or node.keywords or node.decorator_list or getattr(node, "type_params", None):
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
                self.function(item, made)
        step = next(
            (one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "step"), None
        )
        if step is None or [arg.arg for arg in step.args.args] != ["self", "dt"]:
            self.report(step or node, f"{node.name} needs def step(self, dt: float) -> None: write it")
        if not any(member.kind == "output" for member in made.members.values()):
            self.report(node, f"{node.name} has no output. Write for example out: float = Output()")

    def _attribute(self, made: OwnClass, item: ast.Assign | ast.AnnAssign) -> None:
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
            self.taken(item, name)
            self.constant(item)
        else:
            text = "an attribute is an Input, Output, Setting or State, or a constant in capitals"
            self.report(item, f"{text}. Declare it")

    def _member(self, made: OwnClass, item: ast.AnnAssign, name: str, call: ast.Call) -> None:
        assert isinstance(call.func, ast.Name)
        kind = KINDS[call.func.id]
        if not _NAME.fullmatch(name) or name in _RESERVED or name in made.members or name in made.names:
            text = (
                f"{name!r} is not a name for it. Use small letters, digits and '_', each name once, none of"
            )
            self.report(item, f"{text} {', '.join(sorted(_RESERVED))}")
            return
        self.type_(item.annotation)
        type_ = _type(item.annotation)
        allowed = {"input": ("float", "bool"), "output": ("float", "int", "bool"),
                   "setting": ("float", "int", "bool", "str"), "state": ("float", "int", "bool", "str", "tuple")}[kind]  # fmt: skip
        if type_ not in allowed:
            shown = ", ".join(one if one != "tuple" else "tuple[float, ...]" for one in allowed)
            self.report(item.annotation, f"{a(kind)} is one of {shown}. Correct its type")
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
                self.report(keyword.value, f"{a(kind)} takes {', '.join(wanted)}. Correct it")
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

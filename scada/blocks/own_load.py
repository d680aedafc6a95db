"""From the source of an own block to its class: checked, then executed in a namespace that holds the allowed names only."""

from __future__ import annotations

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


def _range(*ends: int) -> range:
    """As `range`, but a loop ends in good time."""
    made = range(*ends)
    if len(made) > RANGE_MAX:
        raise ValueError(f"a loop of {len(made)} steps; at most {RANGE_MAX} are made")
    return made


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
    exec(compile(source, file, "exec", own.FLAGS, dont_inherit=True), space)  # noqa: S102 - `own.read` has allowed each node of it
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
        TypeError: It is of another type, or not finite in a state.
    """
    if member.type == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not own.fits(value, member.type) and not (member.kind == "output" and isinstance(value, float)):
        raise TypeError(f"{value!r} is not a {member.type}")
    return value

"""One strict rule taken out of the driver for a while: the kit must see what follows."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any


@contextmanager
def planted(module: ModuleType, *changes: tuple[str, str]) -> Iterator[None]:
    """Runs the functions of a module as if its text were another.

    Args:
        module: Of the driver.
        changes: What stands in it exactly once, and what stands there instead.
    """
    path = Path(inspect.getfile(module))
    text = path.read_text()
    for old, new in changes:
        assert text.count(old) == 1, f"{path.name}: {old!r} stands there {text.count(old)} times"
        text = text.replace(old, new)
    changed = ModuleType(module.__name__)
    changed.__dict__["__file__"] = str(path)
    exec(compile(text, str(path), "exec"), changed.__dict__)
    before: list[tuple[FunctionType, CodeType]] = []
    ours = dict(_functions(module))
    for name, function in _functions(changed):
        mine = ours.get(name)
        if mine is not None and mine.__code__ != function.__code__:
            before.append((mine, mine.__code__))
            mine.__code__ = function.__code__
    assert before, "nothing changed"
    try:
        yield
    finally:
        for function, code in before:
            function.__code__ = code


def _functions(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    """All functions of a module and of its classes by their qualified names."""
    for value in vars(module).values():
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if isinstance(value, FunctionType):
            yield value.__qualname__, value
        elif isinstance(value, type):
            for member in vars(value).values():
                inner: Any = member
                if isinstance(member, property):
                    inner = member.fget
                elif isinstance(member, staticmethod | classmethod):
                    inner = member.__func__
                if isinstance(inner, FunctionType):
                    yield inner.__qualname__, inner

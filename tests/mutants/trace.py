"""Which test runs which function: a plugin of pytest, by the interpreter's trace hook."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest


@dataclass(eq=False)
class Trace:
    """Fills `tests`: node id to seconds and the functions run, each as `file:qualified name`."""

    root: Path
    rooms: tuple[str, ...]
    tests: dict[str, tuple[float, list[str]]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Runs one test under the hook."""
        seen: set[CodeType] = set()

        def note(frame: FrameType, event: str, arg: Any) -> None:
            """Told of each call; None: no lines, so that it costs half of what a profile hook does."""
            seen.add(frame.f_code)

        began = time.perf_counter()
        sys.settrace(note)
        try:
            result = yield
        finally:
            sys.settrace(None)
        self.tests[item.nodeid] = time.perf_counter() - began, sorted(filter(None, map(self._name, seen)))
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Mutants mean nothing when tests fail without them."""
        if report.failed:
            self.failed.append(report.nodeid)

    def _name(self, code: CodeType) -> str:
        file = Path(code.co_filename)
        if not file.is_relative_to(self.root):
            return ""
        inside = str(file.relative_to(self.root))
        function = code.co_qualname.partition(".<locals>")[0]
        return f"{inside}:{function}" if inside.startswith(self.rooms) else ""


@dataclass(eq=False)
class Only:
    """Keeps the tests that are named, in that order."""

    order: dict[str, int]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Throws out the others and sorts."""
        items[:] = sorted((i for i in items if i.nodeid in self.order), key=lambda i: self.order[i.nodeid])

"""For all tests: Hypothesis counts no milliseconds, failures say how to repeat them, files in memory are given back.

Tests run on several processes (`--dist loadgroup`). Those that share a plant or a server go to one process, so that it is
started once; all others go to whoever is free.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("quick", deadline=None, print_blob=True, max_examples=100)
settings.register_profile("thorough", deadline=None, print_blob=True, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a fixture of a module or of the session are one group."""
    for item in items:
        if isinstance(item, pytest.Function) and (group := _group(item)):
            item.add_marker(pytest.mark.xdist_group(group))
            if getattr(item.config.option, "loadgroup", False):
                # xdist 3.8 writes the group to `_nodeid`, which pytest 9.2 no longer reads: nothing would be grouped.
                item._id = type(item.id).parse(f"{item.nodeid}@{group}")


def _group(item: pytest.Function) -> str:
    """The widest of our fixtures that a test shares with others, "" for none."""
    shared = {
        found[-1].scope: found[-1]
        for name, found in sorted(item._fixtureinfo.name2fixturedefs.items())
        if found[-1].func.__module__.startswith("tests.") and name != memory_given_back.__name__
    }
    if "session" in shared:
        return shared["session"].func.__module__
    return item.nodeid.partition("::")[0] if "module" in shared else ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Plants of one test alone end with it."""
    try:
        return (yield)
    finally:
        folder = getattr(item, "funcargs", {}).get("tmp_path")
        if folder is not None:
            _give_back(folder)


@pytest.fixture(scope="session", autouse=True)
def memory_given_back(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Plants that tests share end with the session."""
    yield
    _give_back(tmp_path_factory.getbasetemp())


def _give_back(folder: Path) -> None:
    """`run/` of a data directory lies on tmpfs, out of reach for pytest's own tidying."""
    for run in folder.rglob("run"):
        if run.is_symlink() and run.readlink().match("/dev/shm/closedloop-*/*"):
            shutil.rmtree(run.readlink(), ignore_errors=True)

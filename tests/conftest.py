"""For all tests: Hypothesis counts no milliseconds, failures say how to repeat them, files in memory are given back."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("quick", deadline=None, print_blob=True, max_examples=50)
settings.register_profile("thorough", deadline=None, print_blob=True, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(scope="session", autouse=True)
def memory_given_back(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """`run/` of a data directory lies on tmpfs, out of reach for pytest's own tidying: it ends with the session."""
    yield
    for run in tmp_path_factory.getbasetemp().rglob("run"):
        if run.is_symlink() and run.readlink().match("/dev/shm/closedloop-*/*"):
            shutil.rmtree(run.readlink(), ignore_errors=True)

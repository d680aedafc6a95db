"""Tries mutants: `python -m tests.mutants.run [--sample N] [--seed N] [--only PATH]`, see `make mutants`.

Every mutant runs in a process forked from one that has pytest and the compiler of sites loaded but nothing of what is
mutated. It runs only the tests that reach the changed function, quickest first, until one fails. Hypothesis draws the
same examples every time, so that a run can be repeated: same tree, same seed, same result.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.machinery
import importlib.util
import json
import os
import random
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

import hypothesis
import pytest

import tags.site  # noqa: F401 - heavy, and never mutated: loaded once for all
from tests.mutants.mutate import Mutant, mutants
from tests.mutants.trace import Only, Trace

ROOMS: Final = ("scada/blocks", "scada/requests", "scada/scan")
TESTS: Final = (
    "tests/requests", "tests/scan", "tests/blocks", "tests/alarms", "tests/safety", "tests/simulate/test_loop.py",
)  # fmt: skip
OPTIONS: Final = ("-q", "-x", "-m", "not slow", "-p", "no:randomly", "-p", "no:cacheprovider", "-n", "0",
    "-W", "ignore::pytest.PytestAssertRewriteWarning",
)  # fmt: skip
MEMORY_MAX: Final = 8 << 30
KILLED, SURVIVED, NOT_RUN, TIMED_OUT = "killed", "SURVIVED", "NOT RUN", "killed (time)"


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module from code instead of its file."""

    def __init__(self, name: str, path: str, code: CodeType) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        """The mutant."""
        return self._code


class _Finder:
    """Answers for the mutated module only."""

    def __init__(self, mutant: Mutant) -> None:
        self._name, self._path = mutant.module, str(mutant.file.absolute())
        self._code = mutant.code()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See importlib."""
        if name != self._name:
            return None
        loader = _Loader(name, self._path, self._code)
        return importlib.util.spec_from_file_location(name, self._path, loader=loader)


def in_a_fork(work: Callable[[], int], limit_s: float) -> int | None:
    """Runs `work` in a forked process.

    Args:
        work: Returns an exit code.
        limit_s: It is killed after so long.

    Returns:
        The exit code, or None when it took too long.
    """
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
        null = os.open(os.devnull, os.O_WRONLY)
        if not os.environ.get("MUTANTS_SHOW"):
            os.dup2(null, 1)
            os.dup2(null, 2)
        code = 99
        try:
            code = work()
        except BaseException:  # noqa: BLE001 - nothing may unwind into the parent's copy of the world
            traceback.print_exc()
        finally:
            os._exit(code)
    ended = os.pidfd_open(child)
    try:
        in_time = select.select([ended], [], [], limit_s)[0]
        if not in_time:
            os.killpg(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    finally:
        os.close(ended)
    return os.waitstatus_to_exitcode(status) if in_time else None


def learn(root: Path) -> dict[str, tuple[float, list[str]]]:
    """Runs all tests once, without a mutant; which of them runs which function, and how long it takes.

    Raises:
        SystemExit: Tests fail as it is.
    """
    with tempfile.NamedTemporaryFile("w+") as file:

        def work() -> int:
            os.environ["HYPOTHESIS_PROFILE"] = "reach"  # a few examples show what a test reaches
            trace = Trace(root, ROOMS)
            options = [option for option in OPTIONS if option != "-x"]
            pytest.main([*options, "--timeout", "600", *(t for t in TESTS if Path(t).exists())], [trace])
            Path(file.name).write_text(json.dumps([trace.tests, trace.failed]))
            return 0

        in_a_fork(work, 3600)
        tests, failed = json.load(file)
    if failed:
        sys.exit(f"Tests fail without any mutant: {', '.join(failed[:5])}. Mend them first.")
    return {name: (seconds, functions) for name, (seconds, functions) in tests.items()}


def attempt(mutant: Mutant, tests: dict[str, tuple[float, list[str]]]) -> str:
    """What becomes of a mutant."""
    key = f"{mutant.file}:{mutant.function}"
    reach = {
        name: seconds
        for name, (seconds, functions) in tests.items()
        if (key in functions if mutant.function else any(f.startswith(f"{mutant.file}:") for f in functions))
    }
    if not reach:
        return NOT_RUN
    order = {name: n for n, name in enumerate(sorted(reach, key=lambda name: reach[name]))}
    files = sorted({name.partition("::")[0] for name in reach})
    finder = _Finder(mutant)

    def work() -> int:
        sys.meta_path.insert(0, finder)
        return int(pytest.main([*OPTIONS, *files], [Only(order)]))

    code = in_a_fork(work, 60 + 20 * sum(reach.values()))
    return TIMED_OUT if code is None else SURVIVED if code == 0 else KILLED


def main(argv: Sequence[str] | None = None) -> int:
    """Tries a sample and reports.

    Returns:
        Exit code 0: the figure is reported, it is no gate.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", default="150", help="number of mutants, or all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="beginning of a path, for example scada/scan/outputs.py")
    options = parser.parse_args(argv)
    root = Path.cwd()
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    for profile, examples in (("mutants", 100), ("reach", 10)):
        hypothesis.settings.register_profile(
            profile, deadline=None, derandomize=True, database=None, max_examples=examples, phases=phases,
            suppress_health_check=list(hypothesis.HealthCheck),
        )  # fmt: skip
    every = [
        mutant
        for room in ROOMS
        for file in sorted(Path(room).rglob("*.py"))
        if str(file).startswith(options.only)
        for mutant in mutants(file)
    ]
    tests = learn(root)
    if options.sample == "all":
        sample = every
    else:
        count = min(int(options.sample), len(every))
        sample = random.Random(options.seed).sample(every, count)
    print(f"{len(sample)} of {len(every)} mutants, seed {options.seed}, {len(tests)} tests", flush=True)
    began = time.monotonic()
    counts: Counter[tuple[str, str]] = Counter()
    with contextlib.suppress(KeyboardInterrupt):  # what was reached is told
        for number, mutant in enumerate(sample, 1):
            result = attempt(mutant, tests)
            counts[str(mutant.file.parent), result] += 1
            if result in (SURVIVED, NOT_RUN):
                print(f"{number:4} {result:8} {mutant.file}:{mutant.line}  {mutant.text}", flush=True)
    minutes = (time.monotonic() - began) / 60
    for room in (*ROOMS, "scada"):
        mine = {
            result: sum(n for (r, s), n in counts.items() if s == result and r.startswith(room))
            for _, result in counts
        }
        total = sum(mine.values())
        if total:
            killed = mine.get(KILLED, 0) + mine.get(TIMED_OUT, 0)
            rest = ", ".join(f"{n} {result.lower()}" for result, n in sorted(mine.items()) if n)
            print(f"{room:16} killed {100 * killed / total:5.1f} % of {total:4}  ({rest})")
    print(f"{minutes:.1f} min")
    return 0


if __name__ == "__main__":
    sys.exit(main())

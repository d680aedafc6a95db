"""Tries mutants: `python -m tests.mutants.run [--sample N] [--seed N] [--only PATH]`, see `make mutants`.

Every mutant runs in a process forked from one that has pytest and the compiler of sites loaded but nothing of what is
mutated. It runs only the tests that reach the changed function, quickest first, until one fails. Hypothesis draws the
same examples every time, so that a run can be repeated: same tree, same seed, same result. All happens in a copy of the
tree, so that work can go on meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import importlib.machinery
import importlib.util
import json
import os
import random
import resource
import select
import signal
import subprocess
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
from tests.mutants import equivalent, report
from tests.mutants.mutate import Mutant, mutants
from tests.mutants.report import KILLED, NOT_RUN, SURVIVED, TIMED_OUT
from tests.mutants.trace import Only, Trace
from tests.mutants.tree import copied

ROOMS: Final = ("scada/blocks", "scada/requests", "scada/scan")
TESTS: Final = (
    "tests/requests", "tests/scan", "tests/blocks", "tests/alarms", "tests/safety", "tests/simulate/test_loop.py",
    "tests/historian/test_recording.py", "tests/planttest", "tests/virtual", "tests/control/test_parts.py",
    "tests/control/test_tape.py", "tests/control/test_aftermath.py", "tests/site/test_protections.py",
    "tests/house/test_cli_replay.py", "tests/docs/test_requests_page.py",
)  # fmt: skip
OPTIONS: Final = ("-q", "-x", "-m", "not slow", "-p", "no:randomly", "-p", "no:cacheprovider", "-n", "0",
    "-W", "ignore::pytest.PytestAssertRewriteWarning",
)  # fmt: skip
MEMORY_MAX: Final = 8 << 30
_PR_SET_PDEATHSIG: Final = 1
IN_A_COPY: Final = "MUTANTS_IN_A_COPY"


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
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # its tree goes when the run is ended
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

    Those that fail as it is are told and left out: they would "kill" whatever is tried.

    Raises:
        SystemExit: All tests fail as it is.
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
    for name in failed:
        print(f"left out, it fails without any mutant: {name}", flush=True)
    if not tests.keys() - set(failed):
        sys.exit("All tests fail without any mutant. Mend them first.")
    return {name: (seconds, functions) for name, (seconds, functions) in tests.items() if name not in failed}


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
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        help="beginning of a path, like scada/scan/outputs.py; may repeat",
    )
    options = parser.parse_args(argv)
    if IN_A_COPY in os.environ:
        return _tried(options.sample, options.seed, tuple(options.only) or ("",))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the copy goes with us, and who works in it
    with copied(Path.cwd()) as top:
        again = [sys.executable, "-m", "tests.mutants.run", *(sys.argv[1:] if argv is None else argv)]
        with contextlib.suppress(KeyboardInterrupt):  # it gets the same one, and tells what was reached
            return subprocess.run(again, cwd=top, env=os.environ | {IN_A_COPY: "1"}, check=False).returncode
    return 1


def _tried(size: str, seed: int, only: tuple[str, ...]) -> int:
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    for profile, examples in (("mutants", 100), ("reach", 10)):
        hypothesis.settings.register_profile(
            profile, deadline=None, derandomize=True, database=None, max_examples=examples, phases=phases,
            suppress_health_check=list(hypothesis.HealthCheck),
        )  # fmt: skip
    all_ = [mutant for room in ROOMS for file in sorted(Path(room).rglob("*.py")) for mutant in mutants(file)]
    for file, function, text in equivalent.unknown(all_):
        print(f"no longer there, take it out of tests/mutants/equivalent.py: {file} {function}: {text}")
    asked = [mutant for mutant in all_ if str(mutant.file).startswith(only)]
    every = [mutant for mutant in asked if equivalent.name(mutant) not in equivalent.EQUIVALENT]
    tests = learn(Path.cwd())
    count = len(every) if size == "all" else min(int(size), len(every))
    sample = every if count == len(every) else random.Random(seed).sample(every, count)
    where = ", ".join(filter(None, only)) or ", ".join(ROOMS)
    known = len(asked) - len(every)
    print(f"{count} of the {len(every)} mutants of {where}, seed {seed}, {len(tests)} tests", flush=True)
    print(f"({known} mutants that change nothing are left out, see tests/mutants/equivalent.py)", flush=True)
    began = time.monotonic()
    results: list[tuple[str, str]] = []
    with contextlib.suppress(KeyboardInterrupt):  # what was reached is told
        for number, mutant in enumerate(sample, 1):
            result = attempt(mutant, tests)
            results.append((str(mutant.file), result))
            if result in (SURVIVED, NOT_RUN):
                print(f"{number:4} {result:8} {mutant.file}:{mutant.line}  {mutant.text}", flush=True)
    print("\n".join(report.table(results, Counter(str(mutant.file) for mutant in every), ROOMS)))
    print(f"{len(results)} of {count} tried, seed {seed}, {(time.monotonic() - began) / 60:.1f} min")
    return 0


if __name__ == "__main__":
    sys.exit(main())

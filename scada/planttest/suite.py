"""All tests of a site, one after another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scada.planttest.run import Result, run_test
from scada.planttest.search import Found, search
from scada.scan import Program
from tags.site.plant_tests import Suite


def run_suite(
    program: Program,
    suite: Suite,
    *,
    seed: int = 1,
    examples: int | None = None,
    scratch: Path | None = None,
) -> Iterator[Result | Found]:
    """Runs tests, then searches invariants.

    Args:
        program: Of the site.
        suite: Its tests, or some of them.
        seed: Of the search.
        examples: Sequences to try for each invariant; None: as it says.
        scratch: Where Hypothesis may write.

    Yields:
        What came of each, as soon as it is known.
    """
    for test in suite.tests:
        yield run_test(program, test)
    for invariant in suite.invariants:
        yield search(program.site, invariant, seed=seed, examples=examples, scratch=scratch)

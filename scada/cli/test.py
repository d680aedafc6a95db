"""`test`: the plant tests of a site, and the search for what breaks its invariants."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scada.cli.options import AsJson
from scada.cli.render import BAD_SITE, FAILED, OK, USAGE, err, failed, out, show_json

if TYPE_CHECKING:
    from tags.site.plant_tests import Suite

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME", help="Only tests with this in their name, or in this file."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Of the search: the same seed tries the same.")]
Examples = Annotated[
    int | None,
    typer.Option("--examples", min=1, help="Sequences to try for each invariant, instead of what it says."),
]
Save = Annotated[
    Path | None,
    typer.Option("--save", metavar="FILE", help="Keep what breaks an invariant as tests in this new file."),
]
JUnit = Annotated[
    Path | None, typer.Option("--junit", metavar="FILE", help="Write the results as JUnit XML too.")
]


def run_tests(
    site: Annotated[Path, typer.Argument(metavar="SITE", help="Folder with site.yaml.")],
    names: Names = None,
    seed: Seed = 1,
    examples: Examples = None,
    save: Save = None,
    junit: JUnit = None,
    only_list: Annotated[bool, typer.Option("--list", help="Only say which tests there are.")] = False,
    as_json: AsJson = False,
) -> None:
    """Runs the plant tests of a site (its tests/*.yaml) on simulated time; no plant is touched.

    Exit codes: 0 all passed, 1 some failed, 2 no such test, 78 the site or a test cannot be read.
    """
    from scada.planttest import keep, report  # noqa: PLC0415 - other verbs start faster without
    from scada.planttest.suite import run_suite  # noqa: PLC0415
    from scada.scan import build  # noqa: PLC0415
    from tags.site import SiteError, read_site  # noqa: PLC0415
    from tags.site.plant_tests import read_tests  # noqa: PLC0415

    if save is not None and save.exists():
        raise failed(f"{save} is there already. Name a new file.", USAGE)
    try:
        compiled = read_site(site)
        suite = read_tests(site, compiled)
    except SiteError as error:
        for problem in error.problems:
            err.print(str(problem), markup=False)
        many = len(error.problems)
        raise failed(f"{site}: {many} problem{'s' if many != 1 else ''}.", BAD_SITE)
    if not suite.all():
        raise failed(f"{site} has no tests. Write them into {site / 'tests'}/*.yaml.", USAGE)
    suite = _chosen(suite, names or [])
    if only_list:
        for one in suite.all():
            out.print(f"{one.place.file}: {one.name}", markup=False)
        return
    program = build(compiled)
    passed = True
    results = []
    with tempfile.TemporaryDirectory() as scratch:  # Hypothesis wants a place to write to
        for outcome in run_suite(program, suite, seed=seed, examples=examples, scratch=Path(scratch)):
            results.append(outcome)
            passed &= outcome.passed
            if not as_json:
                for line in report.lines(outcome, program.tags):
                    out.print(line, markup=False)
    if save is not None:
        text = keep.saved(program.tags, results, compiled.scan_ns)
        if text:
            save.write_text(text, encoding="utf-8")
            err.print(f"{save} keeps what breaks them.", markup=False)
    if junit is not None:
        junit.write_text(report.junit(compiled, results), encoding="utf-8")
    if as_json:
        show_json(report.as_json(compiled, results))
    else:
        out.print(report.summary(results), markup=False)
    sys.exit(OK if passed else FAILED)


def _chosen(suite: Suite, names: list[str]) -> Suite:
    """The tests that were named; all if none was."""
    from tags.site.plant_tests import Suite as Chosen  # noqa: PLC0415

    if not names:
        return suite
    for name in names:
        if not any(_is(one.name, one.place.file, name) for one in suite.all()):
            raise failed(f"There is no test {name!r}. `scada test SITE --list` lists all.", USAGE)
    return Chosen(
        tuple(one for one in suite.tests if any(_is(one.name, one.place.file, name) for name in names)),
        tuple(one for one in suite.invariants if any(_is(one.name, one.place.file, name) for name in names)),
    )


def _is(name: str, file: str, wanted: str) -> bool:
    files = (file, file.rpartition(".")[0])  # tests/water.yaml, water.yaml, water
    return wanted.casefold() in name.casefold() or any(f"/{one}".endswith(f"/{wanted}") for one in files)


def add_to(app: typer.Typer) -> None:
    """Registers the verb."""
    app.command("test")(run_tests)

"""The demo site, also with a defect planted, and plant tests written in a test."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path

from scada.planttest import Result, run_test
from scada.scan import Program, build
from tags.model import Site
from tags.site import SiteError, read_site
from tags.site.plant_tests import Suite, read_tests

FOLDER = Path(__file__).parents[2] / "config" / "demo"


@cache
def site(file: str = "", old: str = "", new: str = "") -> Site:
    """The demo site, with a text in one of its files replaced."""
    if not file:
        return read_site(FOLDER)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "site")
        shutil.copytree(FOLDER, copy)
        text = (copy / file).read_text()
        assert old in text
        (copy / file).write_text(text.replace(old, new))
        return read_site(copy)


@cache
def program(file: str = "", old: str = "", new: str = "") -> Program:
    """Of `site`."""
    return build(site(file, old, new))


def suite(text: str, of: Site | None = None) -> Suite:
    """Plant tests, as the file `tests/t.yaml`."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "tests").mkdir()
        Path(folder, "tests", "t.yaml").write_text(text)
        return read_tests(Path(folder), of or site())


def problems(text: str) -> list[str]:
    """What is wrong with such a file."""
    try:
        suite(text)
    except SiteError as error:
        return [str(problem) for problem in error.problems]
    return []


def run(text: str, of: Program | None = None) -> list[Result]:
    """What comes of such tests."""
    return [run_test(of or program(), test) for test in suite(text).tests]


def failures(text: str, of: Program | None = None) -> list[str]:
    """What was not as expected, without the file."""
    return [
        str(failure).removeprefix("tests/t.yaml:") for result in run(text, of) for failure in result.failures
    ]


def steps(*lines: str, more: str = "") -> str:
    """A file with one test of these steps, the first of them in line 4."""
    listed = "".join(f"    - {line}\n" for line in lines)
    return f"tests:\n  t:\n    steps:\n{listed}{more}"

"""`scada test`: words, exit codes, JUnit XML, JSON, and what it keeps."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from scada.cli.app import app
from scada.cli.test import _is
from tests.planttest.demo import FOLDER

GOOD = """
tests:
  good one: {steps: [{at: 1 s, expect: {tank1/LIC-101/MODE: Auto}}]}
  level: {invariant: tank1/LT-101 < 6 m, search: {length: 2 s, examples: 3}}
"""
BAD = """
tests:
  "bad <one> & \\"two\\"": {steps: [{at: 1 s, expect: {tank1/LIC-101/MODE: Manual}}]}
  too high: {invariant: tank1/LT-101 < 3 m, vary: {tank1/LT-101: }, search: {length: 2 s, examples: 30}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    copy = tmp_path / "site"
    shutil.copytree(FOLDER, copy)
    shutil.rmtree(copy / "tests")
    (copy / "tests").mkdir()
    (copy / "tests" / "good.yaml").write_text(GOOD)
    return copy  # type: ignore[return-value]


def scada(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_all_passed(folder: Path) -> None:
    result = scada("test", folder)
    assert result.exit_code == 0
    assert "passed  tests/good.yaml: good one\n" in result.output
    assert "passed  tests/good.yaml: level (not broken by 3 sequences" in result.output
    assert "2 tests passed" in result.output
    assert not list(folder.rglob(".hypothesis"))


def test_some_failed(folder: Path, tmp_path: Path) -> None:
    (folder / "tests" / "bad.yaml").write_text(BAD)
    junit, save = tmp_path / "junit.xml", tmp_path / "found.yaml"
    result = scada("test", folder, "--junit", junit, "--save", save)
    assert result.exit_code == 1
    assert "tests/bad.yaml:3:54: at 1 s tank1/LIC-101/MODE expected Manual, was Auto" in result.output
    assert "4 tests, 2 failed" in result.output
    suites = ET.fromstring(junit.read_text())
    cases = {case.get("name"): case for case in suites.iter("testcase")}
    assert set(cases) == {"good one", "level", 'bad <one> & "two"', "too high"}
    assert {name for name, case in cases.items() if case.find("failure") is not None} == {
        'bad <one> & "two"',
        "too high",
    }
    assert suites[0].get("failures") == "2"
    shutil.copy(save, folder / "tests" / "found.yaml")
    again = scada("test", folder, "found.yaml")
    assert again.exit_code == 1
    assert "expected always tank1/LT-101 < 3 m" in again.output
    assert scada("test", folder, "--save", save).exit_code == 2


def test_as_json(folder: Path) -> None:
    (folder / "tests" / "bad.yaml").write_text(BAD)
    result = scada("test", folder, "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 1
    assert not document["passed"]
    bad = next(test for test in document["tests"] if test["name"].startswith("bad"))
    assert (bad["file"], bad["line"], bad["failures"][0]["at_s"]) == ("tests/bad.yaml", 3, 1.0)
    broken = next(test for test in document["tests"] if test["name"] == "too high")
    assert broken["moves"] == ["0 s  tank1/LT-101 goes to 3 m"]


def test_names_choose(folder: Path) -> None:
    assert scada("test", folder, "GOOD").output.count("passed  ") == 1
    assert scada("test", folder, "good.yaml").output.count("passed  ") == 2
    assert "level" not in scada("test", folder, "good one").output
    assert scada("test", folder, "--list").output.splitlines() == [
        "tests/good.yaml: good one",
        "tests/good.yaml: level",
    ]
    assert scada("test", folder, "nothing").exit_code == 2


@pytest.mark.parametrize("wanted", ["water", "water.yaml", "tests/water.yaml", "tests/water"])
def test_a_file_chooses_its_tests(wanted: str) -> None:
    assert _is("a pump never runs dry", "tests/water.yaml", wanted)
    assert not _is("the fan runs", "tests/air.yaml", wanted)


def test_what_cannot_be_read_is_said_by_test_and_by_check(folder: Path) -> None:
    (folder / "tests" / "wrong.yaml").write_text("tests: {t: {givn: {}}}")
    for verb in ("test", "check"):
        result = scada(verb, folder)
        assert "tests/wrong.yaml:1:13: test t: unknown key 'givn'; did you mean 'given'?" in result.output
        assert result.exit_code == (78 if verb == "test" else 1)
    shutil.rmtree(folder / "tests")
    assert scada("test", folder).exit_code == 2
    assert scada("check", folder).exit_code == 0

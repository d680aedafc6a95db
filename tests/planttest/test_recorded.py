"""A stretch of a recording stands in for a plant: what the program then does is expected as in any test."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from historian.recording import Recorder, files
from scada.clock import SimulatedClock
from scada.planttest import Result, run_test
from scada.planttest.run import FAILURES_MAX
from scada.scan import Program, build
from tags.events import EventWriter
from tags.site.plant_tests import read_tests
from tests.scan.plant import LEVEL, PROGRAM, SITE
from tests.scan.test_replay import recorded


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site folder whose `tests/` holds `incident.rec`."""
    root = tmp_path_factory.mktemp("incident")
    (root / "tests").mkdir()
    (root / "out").mkdir()
    ring = EventWriter.create(root / "ring", 4 << 20, 3)
    for one in recorded(200)[:-1]:
        ring.append(one)
    ring.close()
    Recorder(root / "out", root / "ring", SimulatedClock(), SITE).close()
    (path,) = files(root / "out")
    path.rename(root / "tests" / "incident.rec")
    return root


def results(folder: Path, steps: str, program: Program = PROGRAM) -> Result:
    (folder / "tests" / "t.yaml").write_text(f"tests:\n  incident 1:\n    recording: incident.rec\n{steps}")
    (test,) = read_tests(folder, program.site).tests
    return run_test(program, test)


def texts(result: Result) -> list[str]:
    return [str(failure).removeprefix("tests/t.yaml:") for failure in result.failures]


def test_the_recorded_program_does_again_what_it_did(folder: Path) -> None:
    first = results(folder, "    steps: [{at: 20 s, expect: {tank1/LV-101/OUT/command: 1000 %}}]\n")
    assert first.scans == 200
    (said,) = texts(first)
    was = said.partition(", was ")[2]
    again = results(
        folder,
        f"    steps: [{{at: 20 s, expect: {{tank1/LV-101/OUT/command: {{value: {was}, tolerance: 0.01 %}}}}}}]\n",
    )
    assert texts(again) == []
    assert again.time_ns > 20_000_000_000


def test_conditions_hold_over_the_whole_recording(folder: Path) -> None:
    assert texts(results(folder, f"    always: {LEVEL} > -9 m\n")) == []
    (said,) = texts(results(folder, f"    never: {LEVEL} > 1.9 m\n"))
    assert "expected never tank1/LT-101 > 1.9 m" in said
    (failure,) = results(folder, f"    never: {LEVEL} > 1.9 m\n").failures
    assert len(failure.changes) == 1


def test_what_comes_after_its_end_is_not_passed_over(folder: Path) -> None:
    steps = f"    steps:\n    - {{at: 1 s, expect: {{{LEVEL}: 99 m}}, within: 1 h}}\n    - {{at: 1 h, check: {LEVEL} > 0 m}}\n"
    first, second = texts(results(folder, steps))
    assert "when the recording was over" in first
    assert second.endswith("expected something at 3600 s, but the recording is over")


def test_after_ten_things_that_are_wrong_nothing_is_said_of_the_rest(folder: Path) -> None:
    steps = "".join(f"    - {{at: {n} s, expect: {{{LEVEL}: 99 m}}}}\n" for n in range(1, 16))
    said = texts(results(folder, f"    steps:\n{steps}"))
    assert len(said) == FAILURES_MAX
    assert not [one for one in said if "is over" in one]


def test_a_changed_program_is_given_the_same(folder: Path) -> None:
    blocks = [
        dataclasses.replace(block, config={**block.config, "out_low": 7.0, "out_high": 8.0})
        if block.type == "pid"
        else block
        for block in SITE.blocks
    ]
    changed = build(dataclasses.replace(SITE, blocks=tuple(blocks), digest="changed"))
    steps = "    steps: [{at: 0 s, check: tank1/LV-101/OUT/command >= 7 % and tank1/LV-101/OUT/command <= 8 %, within: 60 s}]\n"
    assert texts(results(folder, steps, changed)) == []


def test_what_is_no_recording_fails_the_test(folder: Path) -> None:
    whole = (folder / "tests" / "incident.rec").read_bytes()
    (folder / "tests" / "broken.rec").write_bytes(b"x" * 1000)
    (folder / "tests" / "t.yaml").write_text("tests: {t: {recording: broken.rec}}")
    (test,) = read_tests(folder, SITE).tests
    (said,) = texts(run_test(PROGRAM, test))
    assert "the recording cannot be run" in said
    (folder / "tests" / "broken.rec").write_bytes(whole[: len(whole) // 2])
    run_test(PROGRAM, test)  # half of it, whatever that holds

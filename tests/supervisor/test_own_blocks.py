"""A plant whose own block does not pass its trial is not started, and `scada check` says why."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from scada.cli.app import app
from scada.datadir import DataDir
from scada.supervisor import Overrides, run
from tests.site.helpers import make_folder

CASE = "control: {a/B: {block: own, class: Half, inputs: {x: a/LT-1}}}\n"
BLOCK = """from scada.blocks.own import Input, Output, OwnBlock


class Half(OwnBlock):
    x: float = Input("m")
    out: float = Output("m")

    def step(self, dt: float) -> None:
        self.out = self.x / 2
"""
WRONG = BLOCK.replace("self.x / 2", "2 / self.x")
SAYS = "blocks/half.py:9:1: Half: step raises ZeroDivisionError: float division by zero with x = 0. Say what it does then."


def folder(tmp_path: Path, source: str) -> Path:
    return make_folder(tmp_path / "site", {"case.yaml": CASE, "blocks/half.py": source})


def test_check(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    good = CliRunner().invoke(app, ["check", str(folder(tmp_path / "good", BLOCK)), "--data", data])
    assert good.exit_code == 0, good.output
    wrong = CliRunner().invoke(app, ["check", str(folder(tmp_path / "wrong", WRONG)), "--data", data])
    assert wrong.exit_code == 1
    assert SAYS in wrong.output.replace("\n", "")


def test_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def ready(_: object) -> None:
        raise AssertionError("it was started")

    data = DataDir(tmp_path / "data")
    code = run(folder(tmp_path, WRONG), data, Overrides(), simulate=False, arm_simulated=False, ready=ready)
    assert code == 78
    said = capsys.readouterr().err
    assert SAYS in said
    assert "Nothing was started" in said

"""Runs the tutorial as a reader would, with free ports in place of the usual ones."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from scada.datadir import DataDir
from tests.support import standard_nodes
from tests.support.ports import free_ports
from tests.support.wait import wait_for

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "first-plant.md"


class Step(NamedTuple):
    command: str
    output: str
    code: int


def steps(text: str) -> Iterator[Step]:
    for info, body in re.findall(r"```console([^\n]*)\n(.*?)```", text, re.DOTALL):
        code = re.search(r"exit=(\d+)", info)
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield Step(command, output.strip(), int(code[1]) if code else 0)


def matches(expected: str, actual: str) -> bool:
    """`…` stands for anything."""
    pattern = ".*".join(re.escape(piece) for piece in expected.split("…"))
    return re.fullmatch(pattern, actual.strip(), re.DOTALL) is not None


@pytest.mark.timeout(120)
def test_the_tutorial(tmp_path: Path) -> None:
    text = PAGE.read_text()
    first = free_ports(3)
    for name, body in re.findall(r"```yaml file=(\S+)\n(.*?)```", text, re.DOTALL):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(body.replace("5020", str(first)))
    standard_nodes.lend(tmp_path.parent, DataDir(tmp_path / "mill-data"))
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    ran = 0
    with contextlib.ExitStack() as stack:
        for step in steps(text):
            words = step.command.split(" &")[0]
            if words.startswith("scada run"):
                words += f" --hmi-port {first + 1} --opcua-port {first + 2}"
            if step.command.endswith("&"):
                stack.enter_context(_background(words, tmp_path, environment))
            else:
                _until_as_printed(words, tmp_path, environment, step)
            ran += 1
    assert ran >= 9


def _until_as_printed(words: str, folder: Path, environment: dict[str, str], step: Step) -> None:
    """A reader looks again while the plant starts; so does this, until the page is right or 20 s are over."""
    last = ""

    def attempt() -> bool:
        nonlocal last
        done = subprocess.run(
            words, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        last = f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
        return done.returncode == step.code and (not step.output or matches(step.output, done.stdout))

    try:
        wait_for(attempt, 20, words, every_s=0.5)
    except AssertionError as error:
        raise AssertionError(f"{step.command}: {last}") from error


@contextlib.contextmanager
def _background(words: str, folder: Path, environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(words.split(), cwd=folder, env=environment, start_new_session=True)
    try:
        yield
        assert process.poll() is None, words
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0

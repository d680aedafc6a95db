"""Mutants are what they say, and a test that looks at a line kills the mutant of it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.mutants.mutate import Mutant, mutants

SOURCE = textwrap.dedent('''
    """A room."""
    from dataclasses import dataclass

    LIMIT: int = 5

    @dataclass(frozen=True)
    class Tank:
        __slots__ = ()
        def full(self, level: float = 1.0) -> bool:
            """True when it is full."""
            if level < 0:
                raise ValueError(f"{level + 1} is below zero")
            return level >= 4 and not self.off

        @property
        def off(self):
            def inner():
                return max(1, 2)
            return inner() == 3
    ''')  # fmt: skip


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "room").mkdir()
    file = Path("room/tank.py")
    file.write_text(SOURCE)
    return file


def changed(room: Path) -> dict[str, Mutant]:
    return {mutant.text: mutant for mutant in mutants(room)}


def test_every_mutant_compiles_and_differs(room: Path) -> None:
    found = mutants(room)
    plain = compile(SOURCE, str(room), "exec")
    assert len({(m.site, m.way) for m in found}) == len(found) > 10
    assert all(m.code() != plain for m in found)


def test_what_is_changed_and_where(room: Path) -> None:
    found = changed(room)
    mutant = found["level >= 4  ->  level > 4"]
    assert (mutant.module, mutant.function, mutant.line) == ("room.tank", "Tank.full", 14)
    assert found["max(1, 2)  ->  min(1, 2)"].function == "Tank.off", (
        "the outermost function is the one that tests reach"
    )
    assert found["5  ->  6"].function == ""
    assert "level < 0  ->  not level < 0" in found
    assert "1.0  ->  2.0" in found


def test_messages_annotations_and_decorators_are_left_alone(room: Path) -> None:
    assert not [text for text in changed(room) if "below zero" in text or "level + 1" in text]
    assert "True  ->  False" not in changed(room)


RUN = """
import os, sys
from pathlib import Path
import tests.mutants.run as run
run.TESTS, run.ROOMS = ("test_tank.py",), ("room",)
os.chdir(sys.argv[1]); sys.path.insert(0, sys.argv[1])
from tests.mutants.mutate import mutants
known = run.learn(Path.cwd())
for mutant in mutants(Path("room/tank.py")):
    if "level >= 4" in mutant.text or "5" in mutant.text or "inner" in mutant.text:
        print(run.attempt(mutant, known), mutant.text, sep=": ")
"""


@pytest.mark.slow
def test_a_mutant_lives_until_a_test_looks_at_it(room: Path, tmp_path: Path) -> None:
    test = Path("test_tank.py")
    ini = Path("pytest.ini")
    ini.write_text("[pytest]\nmarkers =\n  slow: x\n")
    Path("room/__init__.py").write_text("")
    weak = "from room.tank import Tank\n\ndef test_full():\n    assert Tank().full(5.0)\n    assert not Tank().full(3)\n"
    test.write_text(weak)
    assert "SURVIVED: level >= 4  ->  level > 4" in said(tmp_path)
    test.write_text(weak + "    assert Tank().full(4.0)\n")
    lines = said(tmp_path)
    assert "killed: level >= 4  ->  level > 4" in lines
    assert "SURVIVED: 5  ->  6" in lines


def said(folder: Path) -> list[str]:
    top = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(folder)], capture_output=True, text=True, check=False, cwd=top, timeout=100
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()

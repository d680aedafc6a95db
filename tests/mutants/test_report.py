"""What is said of a sample, and the tree that a run works in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.mutants import equivalent, run
from tests.mutants.mutate import mutants
from tests.mutants.report import KILLED, NOT_RUN, SURVIVED, TIMED_OUT, interval, table
from tests.mutants.tree import copied


def test_the_interval_is_the_one_of_the_books() -> None:
    """Wilson's interval of 81 of 263, as Newcombe (1998) has it in his table I: 0.2553 … 0.3662."""
    low, high = interval(81, 263, 10**12)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    low, high = interval(15, 148, 10**12)
    assert (round(low, 4), round(high, 4)) == (0.0624, 0.1605)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n), st.integers(n, 5000))))
def test_the_interval_holds_the_share_and_narrows(case: tuple[int, int, int]) -> None:
    killed, tried, of = case
    low, high = interval(killed, tried, of)
    wide_low, wide_high = interval(killed, tried, 10**9)
    share = killed / tried
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1
    assert high - low <= wide_high - wide_low + 1e-9
    assert interval(killed, tried, tried) == (share, share)


def test_each_room_has_its_line_with_what_was_tried_of_what_there_is() -> None:
    results = [
        ("a/x.py", KILLED), ("a/x.py", TIMED_OUT), ("a/y.py", SURVIVED), ("a/y.py", NOT_RUN), ("ab/z.py", KILLED),
    ]  # fmt: skip
    first, second, third = table(
        results, {"a/x.py": 10, "a/y.py": 5, "ab/z.py": 1, "c/none.py": 4}, ("a", "ab", "c")
    )
    assert first.startswith("a                killed  50.0 % of 4 tried of 15; 95 % confidence ")
    assert "1 NOT RUN, 1 SURVIVED, 1 killed, 1 killed (time)" in first
    assert "killed 100.0 % of 1 tried of 1; 95 % confidence 100.0 … 100.0 %" in second
    assert third.startswith("all              killed  60.0 % of 5 tried of 20;")


def test_a_copy_has_what_is_there_now_and_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "top"
    (root / "room").mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    for name, text in (
        ("room/a.py", "A = 1\n"),
        ("gone.py", ""),
        (".gitignore", "kept-out\n"),
        ("kept-out", ""),
    ):
        (root / name).write_text(text)
    subprocess.run(["git", "add", "room", "gone.py"], cwd=root, check=True)
    (root / "gone.py").unlink()
    (root / "new.py").write_text("")
    with copied(root) as top:
        assert {str(f.relative_to(top)) for f in top.rglob("*") if f.is_file()} == {
            "room/a.py", "new.py", ".gitignore",
        }  # fmt: skip
        (root / "room/a.py").write_text("B = 2\nC = 3\n")
        assert (top / "room/a.py").read_text() == "A = 1\n"
    assert not top.exists()
    monkeypatch.chdir(root)
    found = mutants(Path("room/a.py"))
    (root / "room/a.py").write_text("")
    assert all(mutant.code() for mutant in found), "an edit after it was read moves no mutant"


def test_what_changes_nothing_is_named_with_a_reason_and_is_there() -> None:
    every = [
        mutant for room in run.ROOMS for file in sorted(Path(room).rglob("*.py")) for mutant in mutants(file)
    ]
    assert equivalent.unknown(every) == []
    assert all(equivalent.EQUIVALENT.values())

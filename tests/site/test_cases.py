"""Sites that are refused: each folder in `cases` is laid over `base`, and `error.txt` says what must be reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.site.helpers import HERE, make_folder, problems_of

CASES = sorted((HERE / "cases").iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_refused_with_its_places(case: Path, tmp_path: Path) -> None:
    paths = [path for path in case.rglob("*") if path.is_file() and path.name != "error.txt"]
    files = {path.relative_to(case).as_posix(): path.read_text() for path in paths}
    found = problems_of(make_folder(tmp_path / "site", files))
    assert found == (case / "error.txt").read_text().splitlines()


def test_the_base_itself_is_right(tmp_path: Path) -> None:
    assert problems_of(make_folder(tmp_path / "site", {})) == []


def test_every_message_says_what_to_do() -> None:
    for case in CASES:
        for line in (case / "error.txt").read_text().splitlines():
            _file, number, column, message = line.split(":", 3)
            assert int(number) > 0, line
            assert int(column) > 0, line
            assert message.endswith((".", "?")), line

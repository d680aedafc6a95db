"""Every sentence about safety in the manual names tests, and those tests exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "safety.md"
ROW = re.compile(r"^\| (?P<says>[^|]+) \| (?P<tests>(?:`[^`|]+`(?:, )?)+) \|$", re.MULTILINE)


def rows() -> dict[str, list[str]]:
    shown = PAGE.read_text().partition("## How it is shown")[2]
    return {row["says"].strip(): re.findall(r"`([^`]+)`", row["tests"]) for row in ROW.finditer(shown)}


@cache
def names(file: str) -> frozenset[str]:
    """Tests and state machines of a file."""
    tree = ast.parse((ROOT / "tests" / file).read_text())
    found = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }
    return frozenset(
        found
        | {
            t.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for t in node.targets
            if isinstance(t, ast.Name)
        }
    )


@pytest.mark.parametrize("says", rows())
def test_what_is_said_is_shown(says: str) -> None:
    for test in rows()[says]:
        file, _, name = test.partition("::")
        assert (ROOT / "tests" / file).exists(), f"{says}: there is no tests/{file}"
        assert not name or name in names(file), f"{says}: tests/{file} has no {name}"


def test_the_table_is_read() -> None:
    shown = PAGE.read_text().partition("## How it is shown")[2]
    lines = [line for line in shown.splitlines() if line.startswith("| ") and "---" not in line]
    assert len(rows()) == len(lines) - shown.count("| what is said | shown by |") > 35

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from scada.cli.app import app
from scada.client import AGGREGATES
from scada.field.modbus import Modbus
from tags.site import read_site, schema

DOCS = Path(__file__).parents[2] / "docs"


def words(page: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_][\w-]*", (DOCS / page).read_text()))


def properties(document: Any) -> set[str]:
    found: set[str] = set()
    if isinstance(document, dict):
        if isinstance(document.get("properties"), dict):
            found |= set(document["properties"])
        for value in document.values():
            found |= properties(value)
    elif isinstance(document, list):
        for value in document:
            found |= properties(value)
    return found


def test_every_key_of_a_site_is_described() -> None:
    assert properties(schema()) - words("reference/site.md") == set()


def test_every_key_of_the_modbus_driver_is_described() -> None:
    assert set(Modbus.Config.model_fields) - words("reference/modbus.md") == set()


def test_every_verb_and_option_is_described() -> None:
    page = (DOCS / "reference" / "command-line.md").read_text()
    group = typer.main.get_command(app)
    missing = []

    def walk(command: Any, path: tuple[str, ...]) -> None:
        for name, child in getattr(command, "commands", {}).items():
            walk(child, (*path, name))
        if path and " ".join(path) not in page:
            missing.append(" ".join(path))
        missing.extend(
            option
            for parameter in command.params
            for option in parameter.opts
            if option.startswith("--") and option not in page and "completion" not in option
        )

    walk(group, ())
    assert missing == []


def test_every_aggregate_is_described() -> None:
    page = (DOCS / "reference" / "history.md").read_text()
    assert [name for name in AGGREGATES if f"`{name}`" not in page] == []


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_first_site_of_the_readme_is_accepted(tmp_path: Path) -> None:
    text = (DOCS.parent / "README.md").read_text()
    found = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert found is not None
    (tmp_path / "site.yaml").write_text(found[1])
    site = read_site(tmp_path)
    assert {"tank1/LT-101", "tank1/LV-101"} <= set(site.by_path())
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert "://" in target or (DOCS.parent / target).exists(), target

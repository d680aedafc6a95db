"""Every command on the pages for commissioning is one that there is, with options that it has."""

from __future__ import annotations

import functools
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from scada.cli.app import app

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
PAGES = ("commission-modbus.md", "commission-a-plant.md")


def commands(page: str) -> list[str]:
    text = (HOW_TO / page).read_text()
    return re.findall(r"^\$ scada (.*)$", text, re.MULTILINE) + re.findall(
        r"`scada (modbus [^`]*|iosheet [^`]*)`", text
    )


@functools.cache
def tree() -> Any:
    """The whole command line."""
    return typer.main.get_command(app)


def parse(words: list[str]) -> None:
    """As the command line does, without doing it."""
    command = tree()
    context = command.make_context("scada", list(words))
    while hasattr(context.command, "commands"):
        rest = [*getattr(context, "_protected_args", ()), *context.args]
        name, command, rest = context.command.resolve_command(context, list(rest))
        context = command.make_context(name, list(rest), parent=context)


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_the_page_are_understood(page: str) -> None:
    found = commands(page)
    assert len(found) >= 4
    for command in found:
        if command not in ("modbus scan", "modbus"):  # named, not shown
            parse(shlex.split(command))


def test_a_command_that_is_not_there_is_found() -> None:
    for words in (
        ["modbus", "find", "tcp://plc"],
        ["modbus", "scan", "tcp://plc", "--unitz", "1"],
        ["iosheet"],
    ):
        with pytest.raises(Exception, match=r"(?i)no such|missing"):
            parse(words)

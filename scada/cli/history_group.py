"""`scada history`: the group, and which module adds which verbs to it.

A module of verbs is named here on a line of its own and has `add_to(verbs)`, which registers its commands
(`verbs.command()(export)`) or a group of them (`verbs.add_typer(app, name="quarantine")`). What is heavy it imports inside the
command: every `scada` loads this file.
"""

from __future__ import annotations

from typing import Any, Final

import typer
import typer.core

from scada.cli import (
    history,
    history_audit,
    history_backup,
    history_check,
    history_edits,
    history_export,
    history_import,
    history_notes,
    history_sinks,
    quarantine,
)

SHOW: Final = "show"


class Verbs(typer.core.TyperGroup):
    """`history TAG` means `history show TAG`: a path always has a `/`, a verb never."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See click."""
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = [SHOW, *args]
        return super().parse_args(ctx, args)


verbs = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    help="Stored samples: `scada history TAG`, and the verbs below.",
)
verbs.command(SHOW)(history.history)
for module in (
    history_audit,
    history_backup,
    history_check,
    history_edits,
    history_export,
    history_import,
    history_notes,
    history_sinks,
    quarantine,
):
    module.add_to(verbs)

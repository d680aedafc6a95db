"""`history check`: every block of a history, and the name of each that is damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scada.cli.bars import bar
from scada.cli.options import AsJson, Data, usual_plant
from scada.cli.render import FAILED, failed, out, show_json, show_table, utc_text
from scada.client import StoreError


def check(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[BACKUP]", help="Instead of the plant's history.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Looks into every block of history and names each that is damaged; changes nothing. Exit code 1 when there are any."""
    from scada.client import transfer  # noqa: PLC0415 - other verbs start faster without

    place = folder or data or usual_plant()
    try:
        with bar(str(place), "blocks") as progress:
            report = transfer.check(place, lambda _file, share, blocks: progress(share, blocks))
    except StoreError as error:
        raise failed(str(error))
    if as_json:
        show_json(
            {
                "files": report.files,
                "blocks": report.blocks,
                "samples": report.samples,
                "damage": [_row(damage) for damage in report.damage],
                "count": report.count,
                "notes": report.notes,
                "uncovered": transfer.UNCOVERED,
            }
        )
        raise typer.Exit(FAILED if report.count else 0)
    if report.damage:
        show_table(
            ("file", "block", "tag", "from (UTC)", "to", "samples", "what"),
            (
                (
                    damage.file,
                    damage.block,
                    damage.tag,
                    utc_text(damage.start) if damage.start else "",
                    utc_text(damage.end) if damage.end else "",
                    str(damage.samples or ""),
                    damage.message,
                )
                for damage in report.damage
            ),
        )
    for note in report.notes:
        out.print(note, markup=False)
    out.print(
        f"{report.files} files, {report.blocks:,} blocks, {report.samples:,} samples: "
        f"{f'{report.count} damaged' if report.count else 'all as they were written'}.",
        markup=False,
    )
    out.print("No checksum covers:", markup=False)
    for line in transfer.UNCOVERED:
        out.print(f"  {line}", markup=False)
    if report.count:
        raise failed("What to do: see Repair history in the manual (docs/how-to/repair-history.md)")


def _row(damage: object) -> dict[str, object]:
    from scada.client.transfer import Damage  # noqa: PLC0415

    assert isinstance(damage, Damage)
    times = {name: utc_text(t) if t else None for name, t in (("start", damage.start), ("end", damage.end))}
    return damage._asdict() | times


def add_to(verbs: typer.Typer) -> None:
    """Registers the verbs."""
    verbs.command()(check)

"""`history backup`, `history verify` and `history restore`: copies of a whole history."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from scada.cli.bars import steps
from scada.cli.options import AsJson, Data, past, usual_plant
from scada.cli.render import FAILED, err, failed, out, plain, show_json, utc_text
from scada.client import StoreError
from scada.clock import SystemClock

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Of the backup.")]


def backup(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A new one, or one that was not finished.")
    ],
    base: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="An earlier backup: days that it has are linked, not copied."),
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Copies the whole history of a plant, which may run. Repeat it after an interruption: it goes on."""
    from scada.client import transfer  # noqa: PLC0415 - other verbs start faster without

    try:
        source, _, _ = past(data)
        with steps(str(folder), "bytes") as progress:
            done = transfer.backup(
                source.data.root,
                folder,
                SystemClock().utc_ns(),
                user=getpass.getuser(),
                base=base,
                progress=progress,
            )
    except StoreError as error:
        raise failed(str(error))
    if as_json:
        show_json(
            {
                "folder": str(folder),
                "made": utc_text(done.manifest.made_ns),
                "files": len(done.manifest.files),
                "bytes": done.size,
                "copied": done.copied,
                "damaged": done.manifest.damaged,
            }
        )
    else:
        shared = f", {done.copied / 1e6:,.1f} MB of them copied now" if done.copied < done.size * 0.99 else ""
        out.print(
            f"{folder}: {len(done.manifest.files)} files, {done.size / 1e6:,.1f} MB{shared}.", markup=False
        )
    if done.manifest.damaged:
        names = ", ".join(done.manifest.damaged)
        raise failed(f"Damaged, copied as they are: {names}. See: scada history check")


def verify(folder: Folder, as_json: AsJson = False) -> None:
    """Reads a backup and compares every byte with what was written. Exit code 1 when anything differs."""
    from scada.client import transfer  # noqa: PLC0415

    try:
        with steps(str(folder), "bytes") as progress:
            made, wrong = transfer.verify(folder, progress)
    except StoreError as error:
        raise failed(str(error))
    if as_json:
        show_json({"made": utc_text(made.made_ns), "files": len(made.files), "problems": wrong})
        raise typer.Exit(FAILED if wrong else 0)
    for line in wrong:
        err.print(plain(line), markup=False)
    if wrong:
        raise failed(
            f"{len(wrong)} {'problem' if len(wrong) == 1 else 'problems'}. Restore from another backup."
        )
    size = sum(file.size for file in made.files.values())
    out.print(
        f"{folder}: {len(made.files)} files, {size / 1e6:,.1f} MB, made {utc_text(made.made_ns)}. As they were written.",
        markup=False,
    )


def restore(folder: Folder, data: Data = None, as_json: AsJson = False) -> None:
    """Puts a backup into a data directory that has no history. The plant must not run."""
    from scada.client import transfer  # noqa: PLC0415

    place = data or usual_plant()
    try:
        with steps(str(place), "bytes") as progress:
            made = transfer.restore(
                place, folder, SystemClock().utc_ns(), user=getpass.getuser(), progress=progress
            )
    except StoreError as error:
        raise failed(str(error))
    if as_json:
        show_json({"data": str(place), "made": utc_text(made.made_ns), "files": len(made.files)})
        return
    out.print(f"{place}: history as of {utc_text(made.made_ns)}.", markup=False)


def add_to(verbs: typer.Typer) -> None:
    """Registers the verbs."""
    verbs.command()(backup)
    verbs.command()(verify)
    verbs.command()(restore)

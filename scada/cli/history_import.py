"""`history import`: samples of a CSV or Parquet file into history."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from scada.cli.bars import steps
from scada.cli.history_export import Kind, count_of
from scada.cli.options import AsJson, Data, past
from scada.cli.render import FAILED, USAGE, err, failed, out, plain, show_json, utc_text
from scada.client import StoreError
from scada.clock import SystemClock


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="x.csv (also .gz, .zst) or x.parquet.")],
    tag: Annotated[
        str, typer.Option("--tag", metavar="TAG", help="Of all samples, when the file names none.")
    ] = "",
    format_: Annotated[
        Kind | None, typer.Option("--format", help="csv or parquet; by the name of the file by default.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in history.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look for problems.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also when the same content was imported before.")
    ] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Puts samples of a file into history: all, or none and a list of what is wrong. Repeating it does no harm."""
    from scada.client import transfer  # noqa: PLC0415 - other verbs start faster without

    kind = format_ or transfer.format_of(file)
    if kind not in (Kind.CSV, Kind.PARQUET):
        raise failed(f"{file}: only CSV and Parquet can be imported. Name it so, or give --format.", USAGE)
    try:
        source, _, zone = past(data)
        with steps(str(file)) as progress:
            done = transfer.import_file(
                source.data.root,
                file,
                str(kind),
                zone,
                SystemClock().utc_ns(),
                user=getpass.getuser(),
                reason=reason,
                tag=tag,
                progress=progress,
                again=again,
                dry=dry_run,
            )
    except transfer.ProblemsError as error:
        _told(file, error, as_json=as_json)
    except StoreError as error:
        raise failed(str(error))
    paths = {entry.id: path for path, entry in source.tags.items()}
    if as_json:
        show_json(
            {
                "file": str(file),
                "samples": done.samples,
                "added": done.added,
                "digest": done.digest,
                "missing": {paths.get(number, str(number)): count for number, count in done.missing.items()},
                "tags": {
                    paths.get(number, str(number)): {
                        "samples": seen.samples,
                        "start": utc_text(seen.start),
                        "end": utc_text(seen.end),
                    }
                    for number, seen in done.tags.items()
                },
            }
        )
        raise typer.Exit(FAILED if done.missing else 0)
    what = f"{file}: {count_of(done.samples, 'sample')} of {count_of(len(done.tags), 'tag')}"
    if dry_run:
        out.print(f"{what}. No problems; nothing was imported.", markup=False)
    elif done.added == done.samples:
        out.print(f"{what} are in history.", markup=False)
    elif done.added:
        out.print(f"{what}; the last {done.added:,} were missing and are in history now.", markup=False)
    else:
        out.print(f"{what} were imported before; nothing was done. --again imports them anew.", markup=False)
    for number, count in done.missing.items():
        err.print(
            f"{paths.get(number, number)}: {count_of(count, 'sample')} of these are not there.", markup=False
        )
    if done.missing:
        raise failed("Samples are missing: are they older than history is kept (historian: keep)?")


def _told(file: Path, error: Exception, *, as_json: bool) -> NoReturn:
    from scada.client import transfer  # noqa: PLC0415

    assert isinstance(error, transfer.ProblemsError)
    if as_json:
        show_json({"problems": [problem._asdict() for problem in error.problems], "count": error.count})
        raise SystemExit(FAILED)
    for line, message in error.problems:
        err.print(plain(f"{file}:{line}: {message}" if line else f"{file}: {message}"), markup=False)
    more = error.count - len(error.problems)
    rest = f" {more} more are not shown." if more else ""
    raise failed(f"{error.count} problem{'s' if error.count != 1 else ''}; nothing was imported.{rest}")


def add_to(verbs: typer.Typer) -> None:
    """Registers the verbs."""
    verbs.command("import")(import_)

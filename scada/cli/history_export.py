"""`history export`: stored samples as a file for other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from scada.cli.bars import bar
from scada.cli.options import AsJson, Data, parse_duration, parse_time, past
from scada.cli.render import USAGE, failed, out, show_json, utc_text
from scada.client import StoreError
from scada.clock import SystemClock


class Kind(StrEnum):
    """Formats of files."""

    CSV = "csv"
    PARQUET = "parquet"
    LINES = "lines"


def export(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="x.csv, x.parquet, x.lines; .gz or .zst behind packs it.")
    ],
    tag: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TAG]...", help="Paths or patterns such as 'tank1/*'; all by default."),
    ] = None,
    start: Annotated[
        str, typer.Option(help="As of `scada history`; from the very begin by default.")
    ] = "begin",
    end: Annotated[str, typer.Option(help="As start; not included.")] = "now",
    format_: Annotated[
        Kind | None, typer.Option("--format", help="By the name of the file by default.")
    ] = None,
    measurement: Annotated[str, typer.Option(metavar="NAME", help="Of the line protocol.")] = "closedloop",
    every: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH",
            help="A row each LENGTH and a column for each tag, for spreadsheets; needs --start.",
        ),
    ] = None,
    originals: Annotated[
        bool, typer.Option("--originals", help="Samples as they were stored, without edits.")
    ] = False,
    anew: Annotated[bool, typer.Option("--anew", help="Forget what an interrupted export has left.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of a file that is there.")
    ] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Writes stored samples into a CSV, Parquet or line-protocol file. Repeat it after an interruption: it goes on."""
    from scada.client import transfer  # noqa: PLC0415 - other verbs start faster without

    kind = format_ or transfer.format_of(file)
    if kind is None:
        raise failed(f"{file}: which format? Name it .csv, .parquet or .lines, or give --format.", USAGE)
    try:
        source, _, zone = past(data)
        now = SystemClock().utc_ns()
        begin, stop = (0 if text == "begin" else parse_time(text, now, zone) for text in (start, end))
        if stop <= begin:
            raise failed(f"--end {end} is not after --start {start}.", USAGE)
        if every is not None:
            length = round(parse_duration(every) * 1e9)
            if start == "begin" or kind == Kind.LINES or length <= 0:
                raise failed("--every needs --start, a length, and CSV or Parquet.", USAGE)
            with bar(str(file), "rows") as progress:
                rows, size, columns = transfer.export_grid(
                    source.data.root,
                    file,
                    str(kind),
                    begin,
                    stop,
                    length,
                    tag or ["*"],
                    progress,
                    replace=replace,
                )
            if as_json:
                show_json({"file": str(file), "rows": rows, "bytes": size, "columns": columns})
            else:
                what = f"{count_of(rows, 'row')} of {count_of(len(columns), 'tag')}"
                out.print(f"{file}: {what}, {size / 1e6:,.1f} MB; counted again in the file.", markup=False)
            return
        with bar(str(file)) as progress:
            done = transfer.export(
                source.data.root,
                file,
                str(kind),
                begin,
                stop,
                tag or ["*"],
                progress,
                words={"start": start, "end": end},
                measurement=measurement,
                originals=originals,
                anew=anew,
                replace=replace,
            )
    except KeyError as error:
        raise failed(f"No tag in history matches {error.args[0]}. `scada read` lists those of the plant.")
    except StoreError as error:
        raise failed(str(error))
    if as_json:
        show_json(
            {
                "file": str(file),
                "start": utc_text(done.start_ns),
                "end": utc_text(done.end_ns),
                "samples": done.counted,
                "bytes": done.size,
                "tags": done.samples,
            }
        )
        return
    again = f" {done.resumed:,} of them were there from before." if done.resumed else ""
    out.print(
        f"{file}: {count_of(done.counted, 'sample')} of {count_of(len(done.samples), 'tag')}, {done.size / 1e6:,.1f} MB; "
        f"counted again in the file.{again}",
        markup=False,
    )


def count_of(count: int, noun: str) -> str:
    """`1 tag`, `2 tags`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def add_to(verbs: typer.Typer) -> None:
    """Registers the verbs."""
    verbs.command()(export)

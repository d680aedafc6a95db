"""`opcua export`: the address space of a site as a file."""

from __future__ import annotations

import datetime as dt
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from scada.cli.plant import SiteFolder, read_site_or_exit
from scada.cli.render import out

app = typer.Typer(no_args_is_help=True, help="The OPC UA server.")
Output = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to; the screen by default.")
]


@app.callback()
def group() -> None:
    """The OPC UA server."""


@app.command()
def export(site: SiteFolder, output: Output = None) -> None:
    """Writes tags, equipment and its types as a UANodeSet file, for engineering tools; needs no running plant."""
    from scada.opcua.information.namespaces import published_ns  # noqa: PLC0415 - not for every verb
    from scada.opcua.nodes import nodeset  # noqa: PLC0415

    compiled = read_site_or_exit(site)
    published = dt.datetime.fromtimestamp(published_ns(compiled, time.time_ns()) // 1_000_000_000, dt.UTC)
    pieces = nodeset.write(compiled, compiled.digest[:12], published)
    if output is None:
        sys.stdout.writelines(pieces)
        return
    with output.open("w", encoding="utf-8") as file:
        file.writelines(pieces)
    out.print(f"{output}: the nodes of {compiled.name}", markup=False, highlight=False)

"""`modbus scan|read|write|dump`: looking at a Modbus device before, or without, a site. What they do: `modbus_verbs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from scada.cli.modbus_options import Target, at_device
from scada.cli.modbus_show import USUAL, VIEWS
from scada.cli.options import AsJson, parse_duration
from scada.cli.render import USAGE, failed

app = typer.Typer(
    no_args_is_help=True,
    help="Modbus devices, asked directly: find, read, write, record. No plant is needed.",
)
Ranges = Annotated[list[str], typer.Argument(metavar="RANGE…", help="holding/100x20, coil/0-15, 40101x20.")]
Fine = Annotated[bool, typer.Option("--fine", help="Look at each address of what is refused.")]
_UNITS: Final = "1-247"


def scan(
    target: Target,
    units: Annotated[
        str, typer.Option("--units", metavar="LIST", help="Which to try, for example 1-10,21,255.")
    ] = _UNITS,
    as_json: AsJson = False,
) -> None:
    """Finds the units that answer at an endpoint, and what they say about themselves."""
    from scada.cli import modbus_verbs  # noqa: PLC0415 - other verbs start faster without

    modbus_verbs.scan(target, modbus_verbs.parse_units(units), as_json=as_json)


def read(
    target: Target,
    ranges: Ranges,
    views: Annotated[
        str,
        typer.Option("--as", metavar="VIEWS", help=f"all, or some of {','.join(VIEWS)}."),
    ] = ",".join(USUAL),
    fine: Fine = False,
    as_json: AsJson = False,
) -> None:
    """Reads addresses once, and shows what they may mean: as each type, in each order of bytes."""
    from scada.cli import modbus_verbs  # noqa: PLC0415

    chosen = VIEWS if views == "all" else tuple(view.strip() for view in views.split(","))
    for view in chosen:
        if view not in VIEWS:
            raise failed(f"--as {view}: there are all, {', '.join(VIEWS)}.", USAGE)
    modbus_verbs.read(target, modbus_verbs.parse_ranges(ranges), chosen, fine=fine, as_json=as_json)


def write(
    target: Target,
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="holding/100, coil/0, holding/10.3 or 40101.")
    ],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="A number, or on and off.")],
    type_: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="Of a register: int16, uint16, float32, …")
    ] = "",
    order: Annotated[str, typer.Option("--order", metavar="ABCD", help="Order of the bytes.")] = "",
    multiple: Annotated[bool, typer.Option("--multiple", help="FC15 and FC16 also for one.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Writes one value, past every interlock, after asking; then reads it back.

    A device whose outputs are armed in a running plant is refused: disarm it first, or use `scada write`.
    """
    from scada.cli import modbus_verbs  # noqa: PLC0415

    modbus_verbs.write(target, address, value, type_, order, multiple=multiple, yes=yes)


def dump(
    target: Target,
    ranges: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RANGE…]", help="As for read; with --site all that the site asks for."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Instead of stdout.")
    ] = None,
    every: Annotated[str, typer.Option("--every", metavar="TIME", help="Period of a recording.")] = "1 s",
    length: Annotated[
        str, typer.Option("--for", metavar="TIME", help="Record so long; once if not given.")
    ] = "",
    fine: Fine = False,
) -> None:
    """Records what a device holds, once or for a time, as a file that `scada simulate` plays."""
    from scada.cli import modbus_verbs  # noqa: PLC0415

    every_s, length_s = parse_duration(every), parse_duration(length) if length else 0.0
    if every_s <= 0.0:
        raise failed("--every must be above 0.", USAGE)
    modbus_verbs.dump(target, modbus_verbs.parse_ranges(ranges or ()), file, every_s, length_s, fine=fine)


app.command()(at_device(scan, unit=False, timeout="300 ms"))
app.command()(at_device(read))
app.command(context_settings={"ignore_unknown_options": True})(at_device(write))  # `-5` is a value
app.command()(at_device(dump))

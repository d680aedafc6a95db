"""`iosheet`: a row for each point of each device of a site, to be checked and signed with somebody at the transmitter."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from scada.cli.modbus_options import read_compiled
from scada.cli.modbus_values import number
from scada.cli.options import Data, connect, plants
from scada.cli.render import USAGE, err, failed, local_text, out, value_text
from scada.client import Client, NotRunning, Sample
from tags import quality, types
from tags.model import DEVICE, Site, Tag
from tags.scaling import to_raw
from tags.types import Value

COLUMNS: Final = (
    "device", "tag", "description", "direction", "address", "number", "type", "order", "low", "high", "unit",
    "raw at low", "raw at half", "raw at high", "alarms",
    "raw", "engineering", "quality", "time", "result", "checked by", "when", "remarks",
)  # fmt: skip
BLANK: Final = ("result", "checked by", "when", "remarks")
"""Columns for a pen."""


def iosheet(
    site: Annotated[Path, typer.Argument(metavar="SITE", help="Folder with site.yaml.")],
    file: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="NAME.csv or NAME.html, for printing; else CSV on stdout."
        ),
    ] = None,
    device: Annotated[
        list[str] | None, typer.Option("--device", metavar="DEVICE", help="Only of this; may be repeated.")
    ] = None,
    data: Data = None,
) -> None:
    """The I/O check sheet of a site: every point with address, raw values to expect, and room to sign.

    While the plant runs here it also holds what each point reads now.
    """
    compiled = read_compiled(site)
    names = [one.name for one in compiled.devices]
    for name in device or ():
        if name not in names:
            raise failed(f"There is no device {name} in {compiled.name}. Devices: {', '.join(names)}.", USAGE)
    if file is not None and file.suffix.lower() not in (".csv", ".html"):
        raise failed(f"{file}: the name says what it will be: NAME.csv or NAME.html.", USAGE)
    live = _live(compiled, data)
    sheet = rows(compiled, device or names, live)
    if file is None:
        typer.echo(as_csv(sheet), nl=False)
    elif file.suffix.lower() == ".csv":
        file.write_text(
            as_csv(sheet), encoding="utf-8-sig", newline=""
        )  # spreadsheets take it for UTF-8 then
    else:
        from scada.cli.iosheet_page import page  # noqa: PLC0415 - only for this

        file.write_text(page(compiled.name, sheet), encoding="utf-8")
    now = "with what the running plant reads now" if live else "without values: the plant does not run here"
    (err if file is None else out).print(
        f"{file or 'I/O check sheet'}: {len(sheet)} points of {len({row['device'] for row in sheet})} devices, {now}.",
        markup=False,
    )


def rows(site: Site, devices: Sequence[str], live: Mapping[str, Sample]) -> list[dict[str, str]]:
    """The sheet: one dict a point with the keys `COLUMNS`, by device, then table and address.

    Args:
        site: Compiled.
        devices: Names.
        live: What is read now, by path; empty where the plant does not run.
    """
    mine = [tag for tag in site.tags if tag.kind == DEVICE and tag.device in devices]
    alarms: dict[str, list[str]] = {}
    for alarm in site.alarms:
        what = f"{alarm.limit:g}" if alarm.kind in ("high", "low") else alarm.kind
        alarms.setdefault(alarm.tag, []).append(f"{alarm.path.rpartition('/')[2]} {what}")
    mine.sort(key=lambda tag: (tag.device or "", *_order(tag.address or {}), tag.path))
    return [_row(tag, live.get(tag.path), ", ".join(alarms.get(tag.path, ())), site.timezone) for tag in mine]


def _order(address: Mapping[str, Any]) -> tuple[str, int, int]:
    return str(address.get("table", "")), int(address.get("offset") or 0), int(address.get("bit") or 0)


def _row(tag: Tag, sample: Sample | None, alarms: str, zone: str) -> dict[str, str]:
    address = tag.address or {}
    low, high = tag.range or tag.limits or (None, None)
    read = sample is not None and sample.source_ns > 0
    good = sample is not None and not quality.is_bad(sample.status)
    row = dict.fromkeys(COLUMNS, "")
    row |= {
        "device": tag.device or "",
        "tag": tag.path,
        "description": tag.description,
        "direction": "output" if tag.owner is not None else "input",
        "address": address_text(address),
        "number": number(address["table"], address["offset"]) if _is_modbus(address) else "",
        "type": str(address.get("type", tag.type)),
        "order": _bytes_order(address),
        "low": _number(low),
        "high": _number(high),
        "unit": tag.unit or "",
        "alarms": alarms,
    }
    if low is not None and high is not None and tag.type not in (types.BOOL, types.STRING):
        for name, share in (("low", 0.0), ("half", 0.5), ("high", 1.0)):
            row[f"raw at {name}"] = raw_text(tag, low + share * (high - low))
    elif tag.type == types.BOOL:
        row |= {"raw at low": "0", "raw at high": "1"}
        row |= {"low": tag.states.get("0", ""), "high": tag.states.get("1", "")}
    if sample is not None:
        row |= {
            "raw": raw_text(tag, sample.value) if good and not _at_an_end(tag, sample.value) else "",
            "engineering": value_text(tag, sample.value) if good else "",
            "quality": quality.name(sample.status),
            "time": local_text(sample.source_ns, zone) if read else "",
        }
    return row


def _bytes_order(address: Mapping[str, Any]) -> str:
    """The order where there is more than one byte to order otherwise than usual."""
    order = str(address.get("order") or "")
    usual = address.get("count") == 1 and order in ("ABCD", "CDAB")
    return "" if usual or address.get("type") in (types.BOOL, types.STRING) else order


def address_text(address: Mapping[str, Any]) -> str:
    """An address for people: `holding/10.3`, `holding/8x4`; of other drivers its settings."""
    if not _is_modbus(address):
        return " ".join(f"{key}={value}" for key, value in address.items() if value not in (None, ""))
    bit, width = address.get("bit"), int(address.get("width") or 1)
    text = f"{address['table']}/{address['offset']}"
    if bit is not None:
        return f"{text}.{bit}" + (f"-{bit + width - 1}" if width > 1 else "")
    return f"{text}x{address['count']}" if address.get("type") == types.STRING else text


def raw_text(tag: Tag, value: Value) -> str:
    """The raw value that stands for an engineering one, by the tag's scaling."""
    address = tag.address or {}
    if isinstance(value, (str, bool)):
        return value if isinstance(value, str) else str(int(value))
    if not math.isfinite(value):
        return ""
    limits = address.get("limits")
    raw = to_raw(
        value, tag.scaling, str(address.get("type", tag.type)), (limits[0], limits[1]) if limits else None
    )
    return _number(raw)


def _at_an_end(tag: Tag, value: Value) -> bool:
    """Many raw values give this one: those that a square root cuts off, and those beyond the ends of a curve."""
    scaling = tag.scaling
    if scaling.curve:
        return value in (scaling.curve[0][1], scaling.curve[-1][1])
    return scaling.root is not None and value == scaling.root[0]


def as_csv(sheet: Sequence[Mapping[str, str]]) -> str:
    """The sheet as CSV; a text that a spreadsheet would take for a formula begins with an apostrophe."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for row in sheet:
        writer.writerow({key: _harmless(value) for key, value in row.items()})
    return text.getvalue()


def _harmless(text: str) -> str:
    if text[:1] in ("=", "+", "@", "\t") or (text[:1] == "-" and not _is_number(text)):
        return f"'{text}"
    return text


def _is_number(text: str) -> bool:
    try:
        float(text.partition(" ")[0])
    except ValueError:
        return False
    return True


def _is_modbus(address: Mapping[str, Any]) -> bool:
    return address.get("table") in ("coil", "discrete", "holding", "input") and "offset" in address


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.9g}"


def _live(site: Site, data: Path | None) -> dict[str, Sample]:
    """What the running plant of this site reads now; nothing where it does not run."""
    if data is not None:
        plant = connect(data, role="viewer")
        if plant.site.name != site.name:
            raise failed(f"{data}: the plant that runs there is {plant.site.name}, not {site.name}.", USAGE)
        return _read(plant)
    for folder in plants():
        try:
            plant = Client(folder, source="cli", role="viewer")
        except (NotRunning, OSError, ValueError):
            continue
        if plant.site.name == site.name:
            return _read(plant)
        plant.close()
    return {}


def _read(plant: Client) -> dict[str, Sample]:
    with plant:
        plant.refresh()
        return {tag.path: plant.read(tag.path) for tag in plant.site.tags if tag.kind == DEVICE}


def add_to(app: typer.Typer) -> None:
    """Registers the verb."""
    app.command()(iosheet)

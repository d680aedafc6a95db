"""What the verbs of `modbus` do, from a target to what is printed."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import typer

from scada.cli import modbus_line, modbus_show
from scada.cli.modbus_dump import of_site, record, writer
from scada.cli.modbus_line import Line, NoConnectionError
from scada.cli.modbus_options import Target
from scada.cli.modbus_values import BIT_TABLES, Range, exception_text, parse_range
from scada.cli.modbus_write import Write, held_by, plan_write
from scada.cli.render import FAILED, REJECTED, USAGE, err, failed, out, plain, show_json, show_table
from scada.clock import SystemClock
from scada.field.driver import NoReplyError, RefusedError
from scada.field.modbus.config import ORDERS

T = TypeVar("T")
_SHOWN: Final = frozenset({"VendorName", "ProductCode", "MajorMinorRevision"})


def parse_ranges(texts: Sequence[str]) -> list[Range]:
    """Ranges as people wrote them, or the end with a sentence."""
    try:
        return [parse_range(text) for text in texts]
    except ValueError as error:
        raise failed(str(error), USAGE) from None


def parse_units(text: str) -> list[int]:
    """Units of `1-10,21,255`, or the end with a sentence."""
    units: dict[int, None] = {}
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        ends = (first, last or first)
        if not all(end.isascii() and end.isdecimal() for end in ends):
            raise failed(f"--units {text}: write for example 1-10,21,255.", USAGE)
        low, high = (int(end) for end in ends)
        if not 0 <= low <= high <= 255:
            raise failed(f"--units {text}: units are 0 … 255, the smaller one first.", USAGE)
        units |= dict.fromkeys(range(low, high + 1))
    return list(units)


def _allowed(target: Target, wanted: Sequence[Range]) -> None:
    """Ends with a sentence where the site forbids one of the addresses."""
    for one in wanted:
        for span in target.config.spans:
            if span.table == one.table and span.first < one.first + one.count and span.last >= one.first:
                raise failed(
                    f"{one}: the site forbids {span.table}/{span.first}-{span.last} of {target.name}. Ask around it.",
                    USAGE,
                )


def _run(target: Target, work: Callable[[Line], Awaitable[T]]) -> T:
    """Does some work on a line to the target; what goes wrong ends with a sentence."""
    config = target.config

    async def whole() -> T:
        async with Line(config) as line:
            return await work(line)

    try:
        return asyncio.run(whole())
    except NoConnectionError as error:
        where = (
            "Is the port right, there, and allowed to this user?"
            if config.at.serial
            else ("Is the address right, the device on, and one of its connections free?")
        )
        raise failed(f"{error}. {where}") from None
    except NoReplyError as error:
        raise failed(
            f"{config.endpoint} unit {config.unit_id}: no right reply within {config.timeout} ({error}). "
            "`scada modbus scan` finds the units that answer; --timeout gives them more time."
        ) from None
    except RefusedError as error:
        raise failed(f"{config.endpoint} unit {config.unit_id}: {exception_text(error.code)}.") from None


def scan(target: Target, units: Sequence[int], *, as_json: bool) -> None:
    """Finds units."""
    if target.config.at.framed_rtu and not all(1 <= unit <= 247 for unit in units):
        raise failed(
            "On a serial line devices are units 1 … 247; 0 speaks to all of them, and nobody answers.", USAGE
        )
    clock = SystemClock()
    start = clock.monotonic_ns()

    async def work(line: Line) -> tuple[list[modbus_line.Found], int]:
        with err.status("") as status:
            return await modbus_line.scan(
                line, list(units), lambda unit: status.update(f"{target.config.endpoint} unit {unit}")
            )

    found, tried = _run(target, work)
    if tried < len(units):
        err.print(f"No connection any more at unit {units[tried]}: the rest was not tried.", style="red")
    if as_json:
        show_json([{"unit": one.unit, "tables": one.tables, "identity": one.identity} for one in found])
        if not found:
            raise SystemExit(FAILED)
        return
    if not found:
        raise failed(
            f"{target.config.endpoint} is there, but none of {tried} units answered within "
            f"{target.config.timeout}. Try a longer --timeout; on a serial line another --baud or --parity."
        )
    show_table(
        ("unit", "tables", "vendor", "product", "revision", "more"),
        (
            (
                str(one.unit),
                " ".join(one.tables),
                one.identity.get("VendorName", "—"),
                one.identity.get("ProductCode", "—"),
                one.identity.get("MajorMinorRevision", "—"),
                "  ".join(text for name, text in one.identity.items() if name not in _SHOWN and text),
            )
            for one in found
        ),
    )
    seconds = (clock.monotonic_ns() - start) / 1e9
    err.print(f"{len(found)} answered, {tried - len(found)} did not, {seconds:.1f} s.", style="dim")
    if len(found) == len(units) > 2:
        err.print(
            "All of them: the device does not look at the unit identifier. unit_id: 1 will do.", style="dim"
        )


def read(target: Target, wanted: Sequence[Range], views: Sequence[str], *, fine: bool, as_json: bool) -> None:
    """Reads and shows."""
    _allowed(target, wanted)

    async def work(line: Line) -> list[modbus_line.Part]:
        return [part for one in wanted for part in await modbus_line.read(line, one, fine=fine)]

    parts = _run(target, work)
    if as_json:
        show_json(modbus_show.as_json(parts))
    else:
        modbus_show.show(parts, views)
        if tuple(views) == modbus_show.USUAL and any(p.range.table not in BIT_TABLES for p in parts):
            err.print("Other types: --as all, or for example --as int64,bcd32.", style="dim")
    if all(part.exception is not None for part in parts):
        raise SystemExit(FAILED)


def write(
    target: Target, address: str, value: str, type_: str, order: str, *, multiple: bool, yes: bool
) -> None:
    """Writes one value."""
    config = target.config
    orders = {words: name for name, words in ORDERS.items()}
    try:
        job = plan_write(
            address, value, type_, order or orders[config.word_order, config.byte_order], multiple=multiple
        )
    except ValueError as error:
        raise failed(str(error), USAGE) from None
    _allowed(target, [parse_range(job.at.partition(".")[0])])
    if holder := held_by(config):
        raise failed(
            f"{holder} is armed: the running plant writes to this device. Use: scada write TAG VALUE, "
            "or first: scada outputs disarm DEVICE",
            REJECTED,
        )
    _run(target, lambda line: _write(line, job, yes=yes))


async def _write(line: Line, job: Write, *, yes: bool) -> None:
    where = f"{line.config.endpoint} unit {line.config.unit_id} {job.at}"
    try:
        before = job.shown(await line.ask(job.read))
    except RefusedError as error:
        before = f"? ({exception_text(error.code)})"
    if not yes:
        out.print(f"{where} holds {plain(before)}.", markup=False)
        out.print(f"Nothing of a plant stands between: no limit, no interlock. {job.how}", markup=False)
        if not sys.stdin.isatty() or not typer.confirm(f"Write {job.text}?"):
            raise failed("Nothing was written. Confirm it on a terminal, or give --yes.")
    try:
        await line.ask(job.pdu)
    except RefusedError as error:
        raise failed(
            f"{where}: refused, {exception_text(error.code)}. It holds {before}.", REJECTED
        ) from None
    except NoReplyError:
        err.print(f"{where}: no reply; whether it was written is not known. It is read now.", markup=False)
    try:
        after = job.shown(await line.ask(job.read))
    except (RefusedError, NoReplyError, NoConnectionError) as error:
        raise failed(f"{where}: it could not be read back: {error}. Look at the device.", REJECTED) from None
    if after != job.text:
        raise failed(f"{where}: {job.text} was written, but it holds {after}.", REJECTED)
    out.print(f"{where}: was {before}, is {after}. Written by {getpass.getuser()}.", markup=False)


def dump(
    target: Target, wanted: Sequence[Range], file: Path | None, every_s: float, length_s: float, *, fine: bool
) -> None:
    """Records."""
    _allowed(target, wanted)
    ranges = list(wanted) or of_site(target)

    count = -1  # the first line is the head

    async def work(line: Line) -> None:
        nonlocal count
        me = asyncio.current_task()
        assert me is not None
        for number in (
            signal.SIGINT,
            signal.SIGTERM,
        ):  # also in the background, where a shell has Ctrl-C ignored
            asyncio.get_running_loop().add_signal_handler(number, me.cancel)
        with (
            writer(file) as take,
            contextlib.suppress(asyncio.CancelledError),
        ):  # ends it; what there is stays
            async for text in record(line, target, ranges, every_s, length_s, fine=fine):
                take(text)
                count += 1

    with contextlib.suppress(KeyboardInterrupt):
        _run(target, work)
    if count < 0:
        raise failed("Stopped before anything was recorded.")
    if file is not None:
        out.print(f"{file}: {count} ranges of {target.name or target.config.endpoint}.", markup=False)
        out.print(
            f"Play it: `simulate: {{dump: {file.name}}}` at a device of a site, then scada simulate SITE.",
            markup=False,
        )

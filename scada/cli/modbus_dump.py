"""A recording of a device: range after range, once or for a time, as text that the simulator plays."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

from scada.cli import modbus_line
from scada.cli.modbus_line import Line, NoConnectionError, Part
from scada.cli.modbus_options import Target
from scada.cli.modbus_values import Range
from scada.cli.render import USAGE, err, failed, utc_text
from scada.clock import SystemClock
from scada.field.driver import NoReplyError, RefusedError
from scada.field.modbus import plan
from scada.field.modbus.address import Address
from scada.modbus import dump


def of_site(target: Target) -> list[Range]:
    """Everything that a site asks a device for, in requests as field makes them."""
    if target.site is None:
        raise failed(
            "Which addresses? Give RANGE…, for example holding/0-99, or --site SITE and a device.", USAGE
        )
    addresses = [
        Address.of(tag.address)
        for tag in target.site.tags
        if tag.device == target.name and tag.address is not None and tag.kind == "device"
    ]
    found = plan.requests(addresses, range(len(addresses)), target.config)
    if not found:
        raise failed(f"{target.name} has no tags. Give RANGE…, for example holding/0-99.", USAGE)
    return [Range(one.table, one.start, one.count) for one in found]


async def record(
    line: Line, target: Target, wanted: Sequence[Range], every_s: float, length_s: float, *, fine: bool
) -> AsyncIterator[str]:
    """The lines of a dump as they come: all ranges at first, then those that have changed.

    Raises:
        NoConnectionError: There is no connection.
        NoReplyError: A request had no right reply.
    """
    clock = SystemClock()
    try:
        identity = await modbus_line.identity(line, target.config.unit_id)
    except (NoReplyError, RefusedError):
        identity = {}
    header = dump.Header(
        device=target.name,
        endpoint=target.config.endpoint,
        unit=target.config.unit_id,
        utc=utc_text(clock.utc_ns()),
        every_s=every_s,
        identification=identity,
    )
    start = clock.monotonic_ns()
    known: dict[Range, list[Part]] = {}
    for text in dump.lines(header, ()):
        yield text
    turn = 0
    while True:
        for one in wanted:
            try:
                parts = await modbus_line.read(line, one, fine=fine)
            except (NoReplyError, NoConnectionError) as error:
                if turn == 0:
                    raise
                err.print(f"{utc_text(clock.utc_ns())} {one}: {error}", markup=False)
                continue
            t_s = (clock.monotonic_ns() - start) / 1e9
            last_look = turn > 0 and (turn + 1) * every_s >= length_s and one == wanted[0]
            if known.get(one) != parts or last_look:  # the last line says how long the recording was
                known[one] = parts
                for text in list(dump.lines(header, [_range(t_s, part) for part in parts]))[1:]:
                    yield text
        turn += 1
        if turn * every_s >= length_s:
            return
        await asyncio.sleep(max(0.0, turn * every_s - (clock.monotonic_ns() - start) / 1e9))


def _range(t_s: float, part: Part) -> dump.Range:
    at = part.range
    return dump.Range(t_s, at.table, at.first, part.values, at.count, part.exception)


@contextlib.contextmanager
def writer(file: Path | None) -> Iterator[Callable[[str], object]]:
    """Where the lines go: a file that is whole or absent, or stdout."""
    if file is None:
        yield sys.stdout.write
        sys.stdout.flush()
        return
    draft = file.with_name(file.name + ".new")
    try:
        with draft.open("w", encoding="utf-8") as stream:
            yield stream.write
            any_ = stream.tell() > 0
        if any_:
            draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)

"""One value for one address: what is sent, what is read before and after, and who else writes there."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from scada import arming
from scada.cli.modbus_values import NUMBERS, ORDERS, WORDS, parse_range, value_of, words_of
from scada.cli.options import plants
from scada.client import Client, NotRunning
from scada.field.modbus.config import Config
from scada.modbus import wire
from scada.modbus.endpoint import Endpoint, parse
from scada.modbus.wire import Pdu
from tags.model import Device

_BIT: Final = re.compile(r"(.*)\.(\d{1,2})", re.ASCII)
_ON: Final = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Write:
    """A value on its way.

    Attributes:
        at: The address.
        text: The value as it will read.
        how: The request, for people.
        pdu: Writes it.
        read: Reads the same address.
        shown: The data of that read's reply (behind the function code) as text.
    """

    at: str
    text: str
    how: str
    pdu: Pdu
    read: Pdu
    shown: Callable[[bytes], str]


def plan_write(address: str, value: str, type_: str, order: str, *, multiple: bool = False) -> Write:
    """What brings a value to an address.

    Args:
        address: A coil, a holding register, or a bit of one (`holding/10.3`).
        value: A number, or `on` and `off`.
        type_: One of `WORDS`; empty where the value says it: 0 … 65535 is uint16, below 0 int16.
        order: One of `ORDERS`.
        multiple: FC15 and FC16 also for one coil or register.

    Raises:
        ValueError: It cannot be written there; the message says what to write.
    """
    bit = _BIT.fullmatch(address.strip())
    where = parse_range(bit[1] if bit else address)
    if where.count != 1:
        raise ValueError(
            f"{address}: one value at a time. Leave the length out; --type says how many registers"
        )
    if where.table not in ("coil", "holding"):
        raise ValueError(f"{address} can only be read. Coils and holding registers can be written")
    at = f"{where.table}/{where.first}"
    if where.table == "coil":
        if bit or type_ not in ("", "bool"):
            raise ValueError(f"{address}: a coil is on or off; leave out --type and the bit")
        on = _on(value)
        pdu = wire.write_coils(where.first, [on]) if multiple else wire.write_coil(where.first, on)
        return Write(
            at, _word(on), _how(pdu), pdu, wire.read("coil", where.first, 1), lambda d: _word(d[1] & 1)
        )
    if bit:
        return _bit(at, where.first, int(bit[2]), value)
    if order not in ORDERS:
        raise ValueError(f"--order {order}: there are {', '.join(ORDERS)}")
    number = _number(value)
    chosen = type_ or _type(number)
    if chosen not in WORDS:
        raise ValueError(f"--type {chosen}: there are {', '.join(WORDS)}")
    words = words_of(number, chosen, order)
    data = struct.pack(f">{len(words)}H", *words)
    single = len(words) == 1 and not multiple
    pdu = wire.write_register(where.first, data) if single else wire.write_registers(where.first, data)

    def shown(reply: bytes) -> str:
        return f"{value_of(struct.unpack(f'>{len(words)}H', reply[1:]), chosen, order)} ({chosen})"

    return Write(
        at,
        f"{value_of(words, chosen, order)} ({chosen})",
        _how(pdu),
        pdu,
        wire.read("holding", where.first, len(words)),
        shown,
    )


def _bit(at: str, offset: int, bit: int, value: str) -> Write:
    if bit > 15:
        raise ValueError(f"{at}.{bit}: a register has bits 0 … 15")
    on, mask = _on(value), 1 << bit
    pdu = wire.mask_write(offset, 0xFFFF & ~mask, mask if on else 0)
    return Write(
        f"{at}.{bit}",
        _word(on),
        _how(pdu),
        pdu,
        wire.read("holding", offset, 1),
        lambda data: _word(int.from_bytes(data[1:3], "big") >> bit & 1),
    )


def _how(pdu: Pdu) -> str:
    return f"FC{pdu.function}, {pdu.data.hex(' ')}"


def _word(on: int) -> str:
    return "on" if on else "off"


def _on(text: str) -> bool:
    if text.strip().lower() not in _ON:
        raise ValueError(f"{text!r}: a bit is on or off")
    return _ON[text.strip().lower()]


def _number(text: str) -> int | float:
    try:
        return int(text, 0)  # 0x10 says what it is
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None


def _type(number: float) -> str:
    if isinstance(number, int) and -0x8000 <= number <= 0xFFFF:
        return "int16" if number < 0 else "uint16"
    raise ValueError(f"{number} does not say how it is stored. Give --type: {', '.join(NUMBERS)}")


def held_by(config: Config) -> str | None:
    """The running plant of this user that writes to a device: `PLC1 of riverside`; None for none.

    Whoever wants to write past an armed plant disarms the device there first: two masters at one output is how
    accidents are made.
    """
    for folder in plants():
        try:
            client = Client(folder, source="cli", user="", role="viewer")
        except (NotRunning, OSError, ValueError):
            continue
        with client:
            armed = arming.armed(client.data.armed, client.site.devices)
            for device in client.site.devices:
                if device.name in armed and same(device, config):
                    return f"{device.name} of {client.site.name}"
    return None


def same(device: Device, config: Config) -> bool:
    """Whether a device of a site is the one that is meant, as far as can be told from here."""
    if device.driver != "modbus" or device.config.get("unit_id") != config.unit_id:
        return False
    try:
        theirs = parse(str(device.config.get("endpoint", "")))
    except ValueError:
        return False
    return _places(theirs) & _places(config.at) != set()


def _places(at: Endpoint) -> set[tuple[str, int]]:
    if at.serial:
        return {(str(at.path), 0)}
    try:
        found = socket.getaddrinfo(at.host, at.port, type=socket.SOCK_STREAM)
    except OSError:
        return {(at.host.lower(), at.port)}
    return {(str(address[4][0]), at.port) for address in found}

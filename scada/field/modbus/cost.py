"""What a request costs in time on the link of a device: pure.

The device's turn-around comes with every request, and so do the characters around the data and the silences of a serial
line. What a register costs on top is next to nothing over Ethernet and two characters on a serial line. The quotient is
the break-even gap: so many unused registers cost as much as another request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scada.modbus.serial import Serial

if TYPE_CHECKING:
    from scada.field.modbus.config import Config
    from scada.field.modbus.plan import Request

ETHERNET_BYTE_NS: Final = (
    1_000  # with what network and PLC do for each byte; 10 Mbit/s, the slowest that is left, needs 800
)
CHARACTERS: Final = 8 + 5  # of a request to read, and of its reply without the data
UNKNOWN: Final = Serial()  # what a line is taken for of which nothing is said


def byte_ns(config: Config) -> int:
    """Time of one byte on the link, ns."""
    line = _line(config)
    return line.character_ns if line is not None else ETHERNET_BYTE_NS


def request_ns(config: Config, payload_bytes: int) -> int:
    """Time of one read from its first character to the silence behind its reply, ns.

    Args:
        config: Of the device.
        payload_bytes: Data in the reply.
    """
    line = _line(config)
    silences = 2 * line.silence_ns if line is not None else 0
    return config.turnaround_ns + silences + (CHARACTERS + payload_bytes) * byte_ns(config)


def requests_ns(config: Config, requests: tuple[Request, ...]) -> int:
    """Time of reads one after the other, or as many at once as the device may have, ns."""
    total = sum(request_ns(config, request.payload_bytes) for request in requests)
    rounds = -(-len(requests) // config.window)
    return total if config.window == 1 else total * rounds // max(1, len(requests))


def break_even(config: Config) -> int:
    """Unused registers that cost as much as another request."""
    return request_ns(config, 0) // (2 * byte_ns(config))


def _line(config: Config) -> Serial | None:
    """The serial line on the way to the device, if there is one."""
    return (config.serial or UNKNOWN) if config.at.framed_rtu else None

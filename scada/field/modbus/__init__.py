"""Modbus: addresses and settings, the request plan, the link, decoding and encoding.

What lives here: everything that knows Modbus. `config`, `address`, `checks`, `plan`, `wire`, `decode` and `encode` are
pure; `link` owns a connection; `device` puts them together behind `scada.field.driver`; `pdu` is the only module
that imports pymodbus.

What may not: the process image, commands, time of its own. Importing this package imports no protocol library.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from scada.clock import Clock
from scada.field.modbus import address, checks, config
from tags.model import Tag

if TYPE_CHECKING:
    from scada.field.modbus.device import ModbusDevice


class Modbus:
    """The driver as `scada.drivers` announces it: what a site compiler needs to know about Modbus."""

    Config: ClassVar[type[config.Config]] = config.Config

    @staticmethod
    def parse_address(text: str, type: str, config: config.Config) -> dict[str, Any]:  # noqa: A002 - the model's word
        """The place of a tag in the device.

        Args:
            text: For example `holding/100`, `holding/10.3`, `coil/0`, `holding/100x8`, `30001`.
            type: One of `tags.types.TYPES`.
            config: The device's settings.

        Returns:
            `{"table": "coil"|"discrete"|"holding"|"input", "offset": int, "bit": int|None, "count": int,
            "type": str}`, where `type` is the type on the wire.

        Raises:
            ValueError: The text is no address, or the type does not fit there; the message says what to write.
        """
        return address.parse(text, type, config).to_json()

    @staticmethod
    def check(config: config.Config, tags: Sequence[Tag]) -> list[tuple[str, str]]:
        """Problems that only show when all tags of one device are seen together.

        Args:
            config: The device's settings.
            tags: All tags of the device, their `address` parsed.

        Returns:
            (tag path, what is wrong and what to do); empty when all is well.
        """
        return checks.check(config, tags)

    @staticmethod
    def session(config: config.Config, tags: Sequence[Tag], clock: Clock) -> ModbusDevice:
        """The working part for one device; imports pymodbus.

        Args:
            config: The device's settings.
            tags: Its tags, addresses parsed.
            clock: For stamps and latency.
        """
        from scada.field.modbus.device import ModbusDevice  # noqa: PLC0415 - checking a site needs no protocol library

        return ModbusDevice(config, tags, clock)

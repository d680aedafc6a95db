"""Modbus: addresses and settings, the request plan, the link, decoding and encoding.

What lives here: everything that makes tags of Modbus. `config`, `address`, `checks`, `plan`, `cost`, `budget`, `decode` and `encode` are
pure; `transport` says what one connection is and which kind an endpoint gets, `library` is the one of pymodbus (and the
only module that imports its client); `bus` owns the connection that devices with the same endpoint share, `link` is one
device's view of it; `group` is what is read together, `joint` what is decoded together; `device` puts all behind
`scada.field.driver`.

What may not: the process image, commands, time of its own. Importing this package imports no protocol library.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from scada.clock import Clock
from scada.field.modbus import address, budget, checks, config
from scada.field.modbus.address import Address
from scada.modbus.endpoint import Endpoint
from tags.model import Device, Tag

if TYPE_CHECKING:
    from scada.field.modbus.bus import Bus
    from scada.field.modbus.device import ModbusDevice
    from scada.field.modbus.joint import Joint
    from scada.field.modbus.transport import Factory


class Modbus:
    """The driver as `scada.drivers` announces it.

    The class tells a site compiler what it must know about Modbus. An instance works for one field service and
    keeps the connections that its devices share.

    Args:
        clock: For stamps, latency and schedules.
        transport: Makes connections; None for those of the real network.
    """

    Config: ClassVar[type[config.Config]] = config.Config

    @staticmethod
    def parse_address(text: str, type: str, config: config.Config) -> dict[str, Any]:  # noqa: A002 - the model's word
        """The place of a tag in the device.

        Args:
            text: For example `holding/100`, `holding/10.3`, `holding/10.4-7`, `coil/0`, `holding/100x8`, `30001`.
            type: One of `tags.types.TYPES` or of `tags.types.BCD`.
            config: The device's settings, with what the tag says otherwise.

        Returns:
            `{"table": "coil"|"discrete"|"holding"|"input", "offset": int, "bit": int|None, "count": int,
            "type": str, "order": str}`, where `type` is the type on the wire; of a bit field also `"width": int` and
            `"limits": [int, int]`, the raw values that fit.

        Raises:
            ValueError: The text is no address, or the type does not fit there; the message says what to write.
        """
        return address.parse(text, type, config).to_json()

    @staticmethod
    def element(address: dict[str, Any], index: int, step: int) -> dict[str, Any]:
        """The place of an element of an array.

        Args:
            address: Of its first element, from `parse_address`.
            index: From 0.
            step: Registers or coils from one element to the next; 0 for one directly behind the other.

        Raises:
            ValueError: There is no such place; the message says what to write.
        """
        return Address.of(address).element(index, step).to_json()

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
    def budget(devices: Sequence[tuple[Device, config.Config, Sequence[Tag]]]) -> budget.Budget:
        """What polling costs of the time of each link, and what of it cannot be kept.

        Args:
            devices: All Modbus devices of a site, each with its settings and its tags.
        """
        return budget.budget(devices)

    @staticmethod
    def together(devices: Sequence[tuple[Device, config.Config]]) -> list[tuple[str, str]]:
        """Problems that only show when all devices are seen together: those that share an endpoint must agree.

        Args:
            devices: All Modbus devices of a site with their settings.

        Returns:
            (device, what is wrong and what to do); empty when all is well.
        """
        from scada.field.modbus import sharing  # noqa: PLC0415 - only a check needs it

        return sharing.problems(devices)

    @staticmethod
    def dated(config: config.Config, utc_ns: int) -> list[tuple[bool, str]]:
        """What of a device's settings is of no use now, or soon will be: certificates, serial ports.

        It is told by `scada check` and refuses no start: a plant must come back after a power failure.

        Args:
            config: The device's settings.
            utc_ns: Now.

        Returns:
            (whether it is of no use now, what is wrong and what to do); empty when all is well.
        """
        if config.at.serial:
            from scada.field.modbus import sharing  # noqa: PLC0415 - only a check needs it

            return sharing.port_notes(config)
        if config.tls is None:
            return []
        from scada.modbus import certificates  # noqa: PLC0415 - only those who speak TLS need it

        return certificates.validity(config.tls, utc_ns)

    def __init__(self, clock: Clock, transport: Factory | None = None) -> None:
        self._clock = clock
        self._transport = transport
        self._buses: dict[Endpoint, Bus] = {}

    def session(self, config: config.Config, tags: Sequence[Tag]) -> ModbusDevice:
        """The working part for one device.

        Args:
            config: The device's settings.
            tags: Its tags, addresses parsed.
        """
        # checking a site needs no event loop and no protocol library
        from scada.field.modbus.bus import Bus  # noqa: PLC0415
        from scada.field.modbus.device import ModbusDevice  # noqa: PLC0415
        from scada.field.modbus.transport import over_network  # noqa: PLC0415

        bus = self._buses.get(config.at)
        if bus is None:
            bus = self._buses[config.at] = Bus(config, self._clock, self._transport or over_network)
        return ModbusDevice(config, tags, self._clock, bus)

    @staticmethod
    def joint(groups: Sequence[tuple[ModbusDevice, int]]) -> Joint:
        """Scan groups that are decoded together where they are complete at the same time.

        Args:
            groups: Of sessions of this driver, with the number of the group; none with strings.
        """
        from scada.field.modbus.joint import Joint  # noqa: PLC0415 - as above

        return Joint([session.groups[number] for session, number in groups])

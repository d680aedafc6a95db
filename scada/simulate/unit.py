"""Simulated devices behind one endpoint, and what becomes of a request to one of them. Pure: time is an argument."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from scada.simulate.answer import ILLEGAL_FUNCTION, TARGET_SILENT, WRITES, answer, refusal
from scada.simulate.faults import NOTHING, Faults
from scada.simulate.registers import Registers

READ, WRITE = "read", "write"
BROADCAST: Final = 0  # unit on a serial line: for everybody, answered by nobody


class Unit:
    """One device as its network sees it.

    Args:
        number: Unit identifier.
        registers: Its memory.
        seed: Of its faults.

    Attributes:
        plugged: It is on the network.
        frozen: It takes requests and does nothing with them.
        faults: What else is wrong.
    """

    def __init__(self, number: int, registers: Registers, seed: int = 0) -> None:
        self.number = number
        self.registers = registers
        self.plugged = True
        self.frozen = False
        self.faults = Faults(seed)


class Reply(NamedTuple):
    """What leaves an endpoint for a request.

    Attributes:
        pdu: The reply; empty when there is none.
        delay_s: It leaves so much later.
        transaction: Added to the transaction id.
        garbage: Bytes that leave instead of it, if any.
    """

    pdu: bytes
    delay_s: float = 0.0
    transaction: int = 0
    garbage: bytes = b""


class Units:
    """The devices behind one endpoint.

    Args:
        units: At least one, with numbers of their own.
        serial: The endpoint speaks RTU: an absent device is silent, and unit 0 is a broadcast. Else the endpoint answers
            for it, with exception 11.

    Raises:
        ValueError: Two have the same number.
    """

    def __init__(self, units: Sequence[Unit], *, serial: bool) -> None:
        self._units = {unit.number: unit for unit in units}
        if len(self._units) < len(units):
            raise ValueError("two devices have the same unit_id")
        self._serial = serial

    def take(self, number: int, pdu: bytes, right: str | None, now_s: float) -> Reply | None:
        """Carries out a request.

        Args:
            number: Unit that it is for.
            pdu: Function code and data, at least one byte.
            right: What the other end may do: `write`, `read`, or None for nothing.
            now_s: Monotonic, s.

        Returns:
            The reply, or None when none ever leaves.
        """
        unit = self._units.get(number)
        if unit is None or not unit.plugged:
            if not self._serial:
                return Reply(refusal(pdu[0], TARGET_SILENT))
            if number == BROADCAST and unit is None and pdu[0] in WRITES and right == WRITE:
                for other in self._units.values():
                    if other.plugged and not other.frozen:
                        answer(other.registers, pdu)
            return None
        if unit.frozen:
            return None
        effect = unit.faults.next(now_s) if unit.faults.any else NOTHING
        if right is None or (right == READ and pdu[0] in WRITES):
            reply = refusal(pdu[0], ILLEGAL_FUNCTION)  # MB-TCP-Security: not authorised
        elif effect.exception:
            reply = refusal(pdu[0], effect.exception)
        else:
            reply = answer(unit.registers, pdu, number)
        if effect is NOTHING:
            return Reply(reply)
        if effect.drop:
            return None
        return Reply(reply, effect.delay_s, effect.transaction, effect.garbage)

"""What can be wrong with a simulated device on its network, and what that does to one reply. Pure: time and dice are given."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, NamedTuple

DELAY, DROP, EXCEPTION, GARBAGE, TRANSACTION, FLAP = (
    "delay",
    "drop",
    "exception",
    "garbage",
    "wrong_transaction",
    "flap",
)
KINDS: Final = (DELAY, DROP, EXCEPTION, GARBAGE, TRANSACTION, FLAP)
DEFAULTS: Final = {DELAY: 1.0, EXCEPTION: 4.0, FLAP: 5.0}
"""Seconds of delay, exception code, seconds up and seconds down."""
GARBAGE_MOST: Final = 64  # bytes
_SILENT: Final = 2.0**62


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one device.

    Attributes:
        kind: One of `KINDS`.
        amount: Of `delay` and `flap` seconds, of `exception` its code; else not used.
        share: Share of the replies that it hits, above 0 and up to 1.
        until_s: When it ends by itself, on the clock of `Faults.next`, or None.
    """

    kind: str
    amount: float = 0.0
    share: float = 1.0
    until_s: float | None = None


class Effect(NamedTuple):
    """What becomes of one reply.

    Attributes:
        delay_s: It leaves so much later.
        drop: It never leaves; the request was carried out.
        exception: The request is not carried out but refused with this code; 0 for none.
        garbage: These bytes leave instead of the reply, if any.
        transaction: Added to its transaction id.
    """

    delay_s: float = 0.0
    drop: bool = False
    exception: int = 0
    garbage: bytes = b""
    transaction: int = 0


NOTHING: Final = Effect()


class Faults:
    """The faults of one device at present, one of each kind at most.

    Args:
        seed: The same seed and the same requests meet the same faults.
    """

    def __init__(self, seed: int = 0) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - a disturbance, not a secret
        self._present: dict[str, Fault] = {}
        self.any = False

    @property
    def present(self) -> tuple[Fault, ...]:
        """All of them, by kind."""
        return tuple(self._present[kind] for kind in sorted(self._present))

    def set(self, fault: Fault) -> None:
        """Takes up a fault, in place of one of its kind."""
        self._present[fault.kind] = fault
        self.any = True

    def clear(self, kind: str | None = None) -> None:
        """Ends one kind of fault, or all."""
        if kind is None:
            self._present.clear()
        else:
            self._present.pop(kind, None)
        self.any = bool(self._present)

    def next(self, now_s: float) -> Effect:
        """What becomes of the next reply.

        Args:
            now_s: Monotonic, s.
        """
        hit: dict[str, Fault] = {}
        for fault in self.present:
            if fault.until_s is not None and now_s >= fault.until_s:
                self.clear(fault.kind)
            elif self._dice.random() < fault.share:
                hit[fault.kind] = fault
        if not hit:
            return NOTHING
        return Effect(
            delay_s=hit[DELAY].amount if DELAY in hit else 0.0,
            drop=DROP in hit,
            exception=int(hit[EXCEPTION].amount) if EXCEPTION in hit else 0,
            garbage=self._dice.randbytes(self._dice.randint(1, GARBAGE_MOST)) if GARBAGE in hit else b"",
            transaction=self._dice.randint(1, 0xFFFF) if TRANSACTION in hit else 0,
        )


def made(kind: str, message: dict[str, object], now_s: float) -> Fault:
    """The fault that a message asks for.

    Args:
        kind: One of `KINDS`.
        message: `amount`, `share` and `for_s`, each optional.
        now_s: Monotonic, s.

    Raises:
        ValueError: A number that makes no sense; the text says which.
    """
    amount = _number(message, "amount", DEFAULTS.get(kind, 0.0), 0.0, 3600.0)
    if kind == EXCEPTION and not (amount.is_integer() and 1 <= amount <= 255):
        raise ValueError(
            f"{amount:g} is no exception code; there are 1 to 255, for example 4 (device failure)"
        )
    if kind in (DELAY, FLAP) and amount <= 0.0:
        raise ValueError(f"{kind} needs a time above 0 s")
    share = _number(message, "share", 1.0, 0.0, 1.0)
    if share <= 0.0:
        raise ValueError("share must be above 0 %")
    for_s = _number(message, "for_s", _SILENT, 0.0, _SILENT)
    return Fault(kind, amount, share, None if for_s == _SILENT else now_s + for_s)


def _number(message: dict[str, object], key: str, default: float, low: float, high: float) -> float:
    value = message.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{key}: {value!r} is not a number in {low:g} … {high:g}")
    return float(value)

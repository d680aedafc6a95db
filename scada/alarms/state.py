"""The alarm state machine. Everything that moves an alarm's state is in this file.

Source: ANSI/ISA-18.2-2016 §5.4 (figure 3, states A to H), IEC 62682. The state is a set of bits, published as the
alarm's tag::

    bits                    ISA state
    0                       A  normal
    ACTIVE | UNACKED        B  unacknowledged alarm
    ACTIVE                  C  acknowledged alarm
    UNACKED                 D  returned to normal, unacknowledged
    + SUPPRESSED            G  suppressed by design: its process state or its device makes it meaningless
    + SHELVED               F  shelved by an operator for a time
    + OUT_OF_SERVICE        H  taken out by maintenance

Rules of this file:

1. ACTIVE follows the condition in every state. Becoming active sets UNACKED.
2. Acknowledging clears UNACKED, and nothing else.
3. SUPPRESSED, SHELVED and OUT_OF_SERVICE only mask: UNACKED is kept but not shown (`shown`), and cannot be
   acknowledged. An alarm that became active under a mask is unacknowledged when the last mask goes; one that was
   acknowledged before and stayed active is not announced again.
4. An alarm that became active and returned to normal under a mask leaves nothing behind.
5. Nothing else changes the state: bad input, restart and clock steps do not.
"""

from __future__ import annotations

from typing import Final

ACTIVE: Final = 1
UNACKED: Final = 2
SUPPRESSED: Final = 4
SHELVED: Final = 8
OUT_OF_SERVICE: Final = 16
MASKS: Final = SUPPRESSED | SHELVED | OUT_OF_SERVICE

# What happens to an alarm.
RAISE, CLEAR, ACKNOWLEDGE = "raise", "clear", "acknowledge"
SUPPRESS, UNSUPPRESS = "suppress", "unsuppress"
SHELVE, UNSHELVE = "shelve", "unshelve"
REMOVE, RETURN = "remove from service", "return to service"

_SET: Final = {SUPPRESS: SUPPRESSED, SHELVE: SHELVED, REMOVE: OUT_OF_SERVICE}
_DROP: Final = {UNSUPPRESS: SUPPRESSED, UNSHELVE: SHELVED, RETURN: OUT_OF_SERVICE}


def _after(bits: int, happening: str) -> int:
    if happening in _SET:
        return bits | _SET[happening]
    if happening in _DROP:
        return bits & ~_DROP[happening]
    if happening == RAISE:
        return bits if bits & ACTIVE else bits | ACTIVE | UNACKED
    if happening == CLEAR:
        bits_of_normal = bits & ~ACTIVE
        return bits_of_normal & ~UNACKED if bits & MASKS and bits & ACTIVE else bits_of_normal
    return bits if bits & MASKS else bits & ~UNACKED  # ACKNOWLEDGE


HAPPENINGS: Final = (RAISE, CLEAR, ACKNOWLEDGE, *_SET, *_DROP)
TABLE: Final[dict[str, tuple[int, ...]]] = {
    happening: tuple(_after(bits, happening) for bits in range(32)) for happening in HAPPENINGS
}
"""Next state by happening and state: `TABLE[RAISE][bits]`."""


def shown(bits: int) -> int:
    """The state as published: what is masked asks for no acknowledgement."""
    return bits & ~UNACKED if bits & MASKS else bits

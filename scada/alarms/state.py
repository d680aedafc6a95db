"""The alarm state machine. Everything that moves an alarm's state is in this file.

Source: ANSI/ISA-18.2-2016 §5.4 (figure 3, states A to H), IEC 62682; confirmation, one-shot shelving and enabling are
those of OPC 10000-9 §4.3, §5.8.17 and §5.5.2. The state is a set of bits, published as the alarm's tag::

    bits                    ISA state
    0                       A  normal
    ACTIVE | UNACKED        B  unacknowledged alarm
    ACTIVE                  C  acknowledged alarm
    UNACKED                 D  returned to normal, unacknowledged
    + UNCONFIRMED           acknowledged, and somebody must still confirm that what was to be done is done
    + SUPPRESSED            G  suppressed by design: its process state or its device makes it meaningless
    + BY_REQUEST            G  suppressed by a person; shown with SUPPRESSED
    + SHELVED               F  shelved by an operator for a time; with ONE_SHOT at most until it returns to normal
    + OUT_OF_SERVICE        H  taken out by maintenance
    DISABLED                the condition is not looked at

Rules of this file:

1. ACTIVE follows the condition in every state but DISABLED. Becoming active sets UNACKED and ends UNCONFIRMED.
2. Acknowledging clears UNACKED; of an alarm that wants it, it sets UNCONFIRMED, which confirming clears.
3. SUPPRESSED, BY_REQUEST, SHELVED and OUT_OF_SERVICE only mask: UNACKED and UNCONFIRMED are kept but not shown
   (`shown`), and can be neither acknowledged nor confirmed. An alarm that became active under a mask is unacknowledged
   when the last mask goes; one that was acknowledged before and stayed active is not announced again.
4. An alarm that became active and returned to normal under a mask leaves nothing behind.
5. Returning to normal ends a one-shot shelf.
6. Disabling forgets everything but what people did to mask it; enabling begins as at a first start.
7. Nothing else changes the state: bad input, restart and clock steps do not.
"""

from __future__ import annotations

from typing import Final

ACTIVE: Final = 1
UNACKED: Final = 2
SUPPRESSED: Final = 4
SHELVED: Final = 8
OUT_OF_SERVICE: Final = 16
UNCONFIRMED: Final = 32
DISABLED: Final = 64
ONE_SHOT: Final = 128
BY_REQUEST: Final = 256
STATES: Final = 512
MASKS: Final = SUPPRESSED | SHELVED | OUT_OF_SERVICE | BY_REQUEST

# What happens to an alarm.
RAISE, CLEAR, ACKNOWLEDGE = "raise", "clear", "acknowledge"
TO_CONFIRM, CONFIRM = "acknowledge, to be confirmed", "confirm"
SUPPRESS, UNSUPPRESS = "suppress", "unsuppress"
HOLD_BACK, LET_GO = "suppress by request", "unsuppress by request"
SHELVE, SHELVE_ONCE, UNSHELVE = "shelve", "shelve until normal", "unshelve"
REMOVE, RETURN = "remove from service", "return to service"
DISABLE, ENABLE = "disable", "enable"

_SET: Final = {
    SUPPRESS: SUPPRESSED,
    HOLD_BACK: BY_REQUEST,
    SHELVE_ONCE: SHELVED | ONE_SHOT,
    REMOVE: OUT_OF_SERVICE,
}
_DROP: Final = {
    UNSUPPRESS: SUPPRESSED,
    LET_GO: BY_REQUEST,
    UNSHELVE: SHELVED | ONE_SHOT,
    RETURN: OUT_OF_SERVICE,
    ENABLE: DISABLED,
}


def _after(bits: int, happening: str) -> int:
    if happening in _DROP:
        return bits & ~_DROP[happening]
    if happening == DISABLE:
        return bits & (SHELVED | ONE_SHOT | OUT_OF_SERVICE | BY_REQUEST) | DISABLED
    if happening == SHELVE:
        return bits & ~ONE_SHOT | SHELVED
    if happening in _SET:
        return bits | _SET[happening]
    return bits if bits & DISABLED else _moved(bits, happening)


def _moved(bits: int, happening: str) -> int:
    """What the process and the operator do with an alarm that is enabled."""
    if happening == RAISE:
        return bits if bits & ACTIVE else (bits | ACTIVE | UNACKED) & ~UNCONFIRMED
    if happening == CLEAR:
        if not bits & ACTIVE:
            return bits
        masked = bits & MASKS
        bits &= ~(ACTIVE | UNACKED) if masked else ~ACTIVE
        return bits & ~(SHELVED | ONE_SHOT) if bits & ONE_SHOT else bits
    if bits & MASKS:
        return bits
    if happening == CONFIRM:
        return bits & ~UNCONFIRMED
    seen = bits & ~UNACKED  # ACKNOWLEDGE, TO_CONFIRM
    return seen | UNCONFIRMED if happening == TO_CONFIRM and bits & UNACKED else seen


HAPPENINGS: Final = (
    RAISE, CLEAR, ACKNOWLEDGE, TO_CONFIRM, CONFIRM, SHELVE, DISABLE, *_SET, *_DROP,
)  # fmt: skip
TABLE: Final[dict[str, tuple[int, ...]]] = {
    happening: tuple(_after(bits, happening) for bits in range(STATES)) for happening in HAPPENINGS
}
"""Next state by happening and state: `TABLE[RAISE][bits]`."""


def shown(bits: int) -> int:
    """The state as published: what is masked asks for nothing, and suppressed is suppressed."""
    if not bits & MASKS:
        return bits
    bits &= ~(UNACKED | UNCONFIRMED)
    return bits | SUPPRESSED if bits & BY_REQUEST else bits

"""The text of what survives a restart, made anew only where it changed.

`retain.dump` says what survives; of a thousand controllers it takes milliseconds, which a fast scan does not have. Here
the text of each tag and each block is kept, and only what differs from the last time is written again. Nobody has to
say that he changed something: everything that a text is made of is compared, so that nothing can be forgotten.
Everything is taken in one scan, so what is kept belongs together.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from operator import attrgetter, ne
from typing import Any, Final

import numpy as np
import orjson

from scada.alarms.watch import Watched
from scada.blocks.base import FunctionBlock
from scada.scan import retain
from scada.scan.program import HOLD, Program
from scada.scan.state import State

_CHUNK: Final = 16  # blocks whose text is made together
_KEPT: Final = attrgetter("bits", "unless_on", "record")
_NUMBERS: Final = frozenset({bool, int, float})


class Text:
    """What `retain.dump` gives, as JSON, but for `utc_ns`.

    Args:
        program: What runs.
        state: Of it; the same for all the life of this.
    """

    __slots__ = ("_alarms", "_blocks", "_commands", "_head", "_outcomes", "_state", "_values")

    def __init__(self, program: Program, state: State) -> None:
        self._state = state
        self._head = b'"version":%d,"site":%b,' % (retain.VERSION, orjson.dumps(program.site.name))
        self._values = _Values(program)
        self._blocks = _Blocks(state.every_block)
        self._commands = _Commands(program)
        self._outcomes = _Outcomes()
        self._alarms = _Alarms(state.alarms.watched())

    def of(self, state: State) -> bool:
        """True when it is of this state."""
        return self._state is state

    def text(self) -> bytes:
        """All of it now, after a scan: the members of a JSON object, without its braces."""
        state = self._state
        small = {
            "shelves": state.alarms.shelved(),
            "forces": state.forces.retained(),
            "bypasses": state.bypasses.retained(state.elapsed_ns),
            "open": [entry.event(0) for entry in state.ledger.open],
        }
        return b"".join(
            (
                self._head,
                b'"values":{',
                self._values.text(state),
                b'},"blocks":{',
                self._blocks.text(state.every_block),
                b'},"commands":',
                self._commands.text(state),
                b',"outcomes":[',
                self._outcomes.text(state),
                b'],"alarms":{',
                self._alarms.text(),
                b"},",
                orjson.dumps(small)[1:-1],
            )
        )


class _Values:
    """Tags of control's own: value and source time."""

    __slots__ = ("_last", "_names", "_places", "_slots", "_status", "_text", "_texts", "_times", "_where")

    def __init__(self, program: Program) -> None:
        self._slots = [slot for slot in range(program.own) if retain.keeps(program.slots[slot])]
        self._where = np.array(self._slots, np.intp)
        paths = [program.slots[slot].path for slot in self._slots]
        self._places = {path: n for n, path in enumerate(paths)}
        self._names = [orjson.dumps(path) + b":[" for path in paths]
        self._last: list[Any] = [None] * len(paths)
        self._times = np.zeros(len(paths), np.int64)
        self._status = np.zeros(len(paths), np.uint32)
        self._texts: list[bytes] = [b""] * len(paths)
        self._text = b""

    def text(self, state: State) -> bytes:
        signals = state.signals
        value = signals.value
        times, status = signals.times[self._where], signals.statuses[self._where]
        values = [value[slot] for slot in self._slots]
        for path, force in state.forces.table.items():
            place = self._places.get(path)
            if place is not None and force.before is not None:
                values[place] = force.before
        changed = np.flatnonzero((times != self._times) | (status != self._status)).tolist()
        for n in changed:
            self._last[n] = values[n]
        if values != self._last:  # its time is the same: a force, or a clock that stepped back
            changed = list(range(len(values)))
        if changed:
            new = [values[n] for n in changed]
            self._write(changed, new, times[changed].tolist(), (status[changed] >> 30 == 0).tolist())
        self._last, self._times, self._status = values, times, status
        return self._text

    def _write(self, places: list[int], values: list[Any], times: list[int], good: list[bool]) -> None:
        """Writes some anew: numbers all at once, as there is no bracket in them, others one by one."""
        texts, names = self._texts, self._names
        pairs = zip(values, times, strict=True)
        if _NUMBERS.issuperset(map(type, values)):
            made = orjson.dumps(list(pairs))[2:-1].split(b",[")
        else:
            made = [orjson.dumps(pair)[1:] for pair in pairs]
        for n, text, known in zip(places, made, good, strict=True):
            texts[n] = names[n] + text if known else b""
        self._text = b",".join(filter(None, texts))


class _Blocks:
    """What blocks keep. Those that say what it is made of are looked at; the others are asked each time."""

    __slots__ = ("_asked", "_chunks", "_kinds", "_last", "_text", "_texts")

    def __init__(self, blocks: Sequence[FunctionBlock]) -> None:
        self._text = b""
        asked: list[int] = []
        kinds: dict[tuple[str, ...], list[int]] = {}
        for n, block in enumerate(blocks):
            owner = next(kind for kind in type(block).__mro__ if "retained" in kind.__dict__)
            made_of: tuple[str, ...] = owner.__dict__.get("RETAINED_OF", ())
            if made_of:
                kinds.setdefault(made_of, []).append(n)
            elif owner is not FunctionBlock:
                asked.append(n)
        self._chunks: list[list[int]] = []  # positions whose text is made together
        self._asked = self._divide(asked)
        self._kinds = [
            (positions, attrgetter(*made_of), self._divide(positions)) for made_of, positions in kinds.items()
        ]
        self._last: list[list[Any]] = [[] for _ in self._kinds]
        self._texts: list[bytes] = [b""] * len(self._chunks)

    def _divide(self, positions: list[int]) -> range:
        """Makes chunks of these; which they are."""
        first = len(self._chunks)
        self._chunks += [positions[at : at + _CHUNK] for at in range(0, len(positions), _CHUNK)]
        return range(first, len(self._chunks))

    def text(self, blocks: Sequence[FunctionBlock]) -> bytes:
        changed = list(self._asked)
        for kind, (positions, get, chunks) in enumerate(self._kinds):
            now, last = [get(blocks[n]) for n in positions], self._last[kind]
            if now != last:
                self._last[kind] = now
                differing = compress(range(len(now)), map(ne, now, last)) if last else range(len(now))
                changed += sorted({chunks[n // _CHUNK] for n in differing})
        moved = False
        for chunk in changed:
            kept = {blocks[n].path: one for n in self._chunks[chunk] if (one := blocks[n].retained())}
            text = orjson.dumps(kept)[1:-1]
            moved |= text != self._texts[chunk]
            self._texts[chunk] = text
        if moved:
            self._text = b",".join(filter(None, self._texts))
        return self._text


class _Alarms:
    """What is kept of alarms: state and record, which is another object when it is another one."""

    __slots__ = ("_alarms", "_last", "_names", "_text", "_texts")

    def __init__(self, alarms: Sequence[Watched]) -> None:
        self._alarms = alarms
        self._names = [orjson.dumps(alarm.model.path) + b":" for alarm in alarms]
        self._texts = [b""] * len(alarms)
        self._last: list[tuple[Any, ...]] = [(0, False, None)] * len(alarms)
        self._text = b""

    def text(self) -> bytes:
        now, last = list(map(_KEPT, self._alarms)), self._last
        if now != last:
            for n in compress(range(len(now)), map(ne, now, last)):
                bits, _, record = now[n]
                self._texts[n] = self._names[n] + orjson.dumps(now[n]) if bits or record is not None else b""
            self._last = now
            self._text = b",".join(filter(None, self._texts))
        return self._text


class _Commands:
    """The last commands of outputs that are held. In columns they move in each scan, so they are made anew."""

    __slots__ = ("_held", "_names")

    def __init__(self, program: Program) -> None:
        self._held = [plan.way == HOLD for plan in program.outputs]
        self._names = [plan.tag.path for plan in program.outputs]

    def text(self, state: State) -> bytes:
        last = [
            output.last if held else None for output, held in zip(state.every_output, self._held, strict=True)
        ]
        for row, command in state.columns.commands():
            last[row] = command
        found = zip(self._names, last, strict=True)
        return orjson.dumps({path: command for path, command in found if command is not None})


class _Outcomes:
    """The last outcomes, oldest first. An outcome never changes."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[int, tuple[dict[str, Any], int, bytes]] = {}

    def text(self, state: State) -> bytes:
        known = {}
        texts = []
        left = retain.OUTCOMES_BYTES
        for event in reversed(state.ledger.outcomes()[-retain.OUTCOMES :]):
            one = self._known.get(id(event))
            if one is None or one[0] is not event:
                one = (event, len(orjson.dumps(event)), orjson.dumps(retain.outcome(event)))
            left -= one[1]
            if left < 0:
                break
            known[id(event)] = one
            texts.append(one[2])
        self._known = known
        return b",".join(reversed(texts))

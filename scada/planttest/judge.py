"""What is expected and what was."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

from scada.planttest import texts
from scada.planttest.follow import Formula
from scada.planttest.rig import Scene
from scada.requests.machine import FINAL
from tags import expression, quality
from tags.site.plant_tests_compiled import Check

CHANGES_SHOWN: Final = 5
_KINDS: Final = {"Good": 0, "Uncertain": 1, "Bad": 2}
_ALARM: Final = {
    "normal": (0,),
    "active": (1, 3, 33),
    "unacknowledged": (3,),
    "acknowledged": (1, 33),
    "returned": (2,),
}  # 33: active, acknowledged and to be confirmed
_SUPPRESSED: Final = 4


class Changes:
    """The last changes of some tags.

    Args:
        rig: What is watched.
        paths: Of the tags.
    """

    def __init__(self, rig: Scene, paths: Sequence[str]) -> None:
        self._rig = rig
        self._last: dict[str, tuple[Any, int]] = {}
        self._log: dict[str, deque[tuple[int, str]]] = {
            path: deque(maxlen=CHANGES_SHOWN) for path in dict.fromkeys(paths)
        }

    def note(self) -> None:
        """After each scan."""
        rig, tags = self._rig, self._rig.program.tags
        for path, log in self._log.items():
            now = rig.seen(path)
            before = self._last.get(path)
            if now != before:
                self._last[path] = now
                tag = tags.get(path)
                was = "" if before is None else f"{texts.value(tag, *before)} → "
                log.append((rig.time_ns, f"{path}: {was}{texts.value(tag, *now)}"))

    def of(self, paths: Sequence[str]) -> list[str]:
        """The last changes of these tags, oldest first."""
        found = sorted(entry for path in dict.fromkeys(paths) for entry in self._log.get(path, ()))
        return [f"{texts.time(time_ns)}  {text}" for time_ns, text in found[-CHANGES_SHOWN:]]


class Condition:
    """A condition over what control sees and says.

    Args:
        parsed: Checked.
        rig: Whose values it reads.
        truth: Over what is so in the plant instead, whatever the measurements say.
    """

    def __init__(self, parsed: expression.Expression, rig: Scene, *, truth: bool = False) -> None:
        self.paths = parsed.paths
        self._rig = rig
        tags = rig.program.tags
        self._formula = Formula(parsed, tags) if truth else None
        index = {path: n for n, path in enumerate(parsed.paths)}
        self._bound = expression.bind(parsed, index, {path: tags[path].unit for path in parsed.paths})

    def now(self) -> bool | None:
        """Over what is so in the plant: whether it is true, None when that is not known."""
        value = None if self._formula is None else self._formula(self._rig.truth)
        return None if value is None else bool(value)

    def holds(self) -> tuple[bool, str]:
        """Over what control sees: whether it is true and not Bad, and with what values."""
        rig = self._rig
        seen = [rig.seen(path) for path in self.paths]
        value, status = self._bound([one[0] for one in seen], [one[1] for one in seen])
        return bool(value) and not quality.is_bad(status), self.values()

    def values(self) -> str:
        """What its tags are."""
        rig, tags = self._rig, self._rig.program.tags
        if self._formula is not None:
            return ", ".join(f"{path} is {texts.value(tags[path], rig.truth(path))}" for path in self.paths)
        return ", ".join(f"{path} is {texts.value(tags[path], *rig.seen(path))}" for path in self.paths)


class Judge:
    """One check at work.

    Args:
        check: What is to be so.
        rig: Of whom.
        request: Id of the request that an `outcome` is about.
    """

    def __init__(self, check: Check, rig: Scene, request: str = "") -> None:
        self.check = check
        self._rig, self._request = rig, request
        self._condition = None if check.expression is None else Condition(check.expression, rig)
        self._seen: list[Mapping[str, Any]] = []
        self._final: Mapping[str, Any] | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """Tags that the check is about."""
        if self._condition is not None:
            return self._condition.paths
        if self.check.kind not in ("value", "alarm"):
            return ()
        path = self.check.subject
        tag = self._rig.program.tags[path]
        return (path, tag.command) if tag.command is not None and tag.kind == "device" else (path,)

    @property
    def decided(self) -> bool:
        """It will not become otherwise: the request has its outcome."""
        return self._final is not None

    def look(self, events: Sequence[Mapping[str, Any]]) -> bool:
        """After a scan: is it so?

        Args:
            events: Of the scan.
        """
        check = self.check
        match check.kind:
            case "value":
                return self._value()
            case "condition":
                return self._condition is not None and self._condition.holds()[0]
            case "alarm":
                return self._alarm()
            case "event":
                self._seen += [event for event in events if event["kind"] == check.subject]
                return any(_matches(check.fields, event) for event in self._seen)
        for event in events:
            if event["kind"] == "request" and event["id"] == self._request and event["status"] in FINAL:
                self._final = event
        return self._final is not None and self._outcome(self._final)

    def _value(self) -> bool:
        check = self.check
        value, status = self._rig.seen(check.subject)
        if check.quality is not None:
            if check.quality in _KINDS:
                if status >> 30 != _KINDS[check.quality]:
                    return False
            elif quality.name(status) != check.quality:
                return False
        elif quality.is_bad(status):
            return False
        if check.low is not None and (value <= check.low if check.strict else value < check.low):
            return False
        if check.high is not None and (value >= check.high if check.strict else value > check.high):
            return False
        if check.value is None or check.low is not None:
            return True
        return bool(value == check.value)

    def _alarm(self) -> bool:
        bits = int(self._rig.seen(self.check.subject)[0])
        if self.check.value == "suppressed":
            return bool(bits & _SUPPRESSED)
        return bits in _ALARM[str(self.check.value)]

    def _outcome(self, event: Mapping[str, Any]) -> bool:
        check = self.check
        if check.value is not None and event["status"] != check.value:
            return False
        return check.quality is None or _contains(check.quality, event["reasons"])

    # ---- in words ------------------------------------------------------------------------------------------------

    def expected(self) -> str:
        """What is expected, with its subject."""
        check = self.check
        tag = self._rig.program.tags.get(check.subject)
        match check.kind:
            case "condition":
                return f"expected {check.subject}"
            case "alarm":
                return f"{check.subject} expected {check.value}"
            case "event":
                fields = ", ".join(f"{key}: {value}" for key, value in check.fields.items())
                return f"expected an event {{{fields}}}"
            case "outcome":
                because = "" if check.quality is None else f" because of {check.quality!r}"
                return f"the request expected {check.value or 'an outcome'}{because}"
        said = []
        if check.value is not None:
            said.append(texts.value(tag, check.value))
            if check.low is not None and check.high is not None and not isinstance(check.value, str):
                by = check.high - check.value
                if by > abs(check.value) * 1e-6:
                    said[-1] += f" ± {by:.6g}"
        elif check.low is not None or check.high is not None:
            said += [f"above {texts.value(tag, check.low)}"] if check.low is not None else []
            said += [f"below {texts.value(tag, check.high)}"] if check.high is not None else []
        if check.quality is not None:
            said.append(check.quality)
        return f"{check.subject} expected {' and '.join(said)}"

    def was(self) -> str:
        """What was instead."""
        check, rig = self.check, self._rig
        match check.kind:
            case "condition":
                return "" if self._condition is None else self._condition.values()
            case "event":
                others = [_event(event) for event in self._seen[-3:]]
                return f"there were {'; '.join(others)}" if others else f"there was no event {check.subject}"
            case "outcome":
                return "it has no outcome yet" if self._final is None else f"it was {_event(self._final)}"
        tag = rig.program.tags.get(check.subject)
        text = f"was {texts.value(tag, *rig.seen(check.subject))}"
        row = rig.program.output_of.get(check.subject, -1)
        reason = texts.why(rig.state.outputs[row]) if row >= 0 else ""
        return f"{text}; the output is {reason}" if reason else text


def _matches(fields: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    return all(_contains(wanted, event.get(key)) for key, wanted in fields.items())


def _contains(wanted: Any, found: Any) -> bool:
    """A text matches a text that it is part of, whatever the case; a list matches when one of its entries does."""
    if isinstance(found, list | tuple):
        return any(_contains(wanted, one) for one in found)
    if isinstance(wanted, str) and isinstance(found, str):
        return wanted.casefold() in found.casefold()
    return bool(wanted == found)


def _event(event: Mapping[str, Any]) -> str:
    if event["kind"] == "request":
        reasons = "; ".join(event["reasons"])
        return f"{event['status']}{f': {reasons}' if reasons else ''}"
    fields = ", ".join(f"{key}: {value}" for key, value in event.items() if key not in ("t", "kind"))
    return f"{event['kind']} {{{fields}}}"

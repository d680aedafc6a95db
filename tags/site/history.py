"""What the historian keeps of a tag, and for how long of the whole site: from YAML to `tags.model`."""

from __future__ import annotations

from typing import Final

from tags.model import History, Retention, Tag
from tags.site import models
from tags.site.building import Building, Scope, a
from tags.site.sources import NodeSource
from tags.types import BOOL, FLOATS, STRING

_DAY_NS: Final = 86_400_000_000_000
_YEARS_5: Final = 5 * 366 * _DAY_NS
_EVERY_LEAST: Final = 100_000_000
_SHARE: Final = 0.5
_SHARE_MOST: Final = 0.9
_POLICIES: Final = ("deadband", "every", "swinging_door")  # one of them rules


def history_of(scope: Scope, model: models.Tag, tag: Tag) -> History:
    """What is kept of one tag: its own settings over the defaults of the site.

    Args:
        scope: The tag's.
        model: As written.
        tag: Compiled as far as type, unit and range.
    """
    own = model.history or models.History()
    if not own.keep:
        return History(keep=False)
    _check(scope, own, tag)
    defaults = scope.build.defaults
    given = (defaults.analog if is_analog(tag) else defaults.discrete).history or models.History()
    said = own.model_fields_set
    if said & set(_POLICIES):
        given = given.model_copy(update=dict.fromkeys(_POLICIES))
    given = given.model_copy(update={key: getattr(own, key) for key in said})
    gap = given.max_gap or 0
    if given.every is not None and tag.type != STRING:
        return History(keep=given.keep, policy="periodic", period_ns=given.every, max_gap_ns=given.every)
    if given.swinging_door is not None and _is_drawn_straight(tag):
        deviation = _size(scope, tag, given, "swinging_door", own)
        if deviation:  # a share of a range that the tag does not have is none
            return History(keep=given.keep, policy="swinging door", deviation=deviation, max_gap_ns=gap)
    deadband = _size(scope, tag, given, "deadband", own) if is_analog(tag) else 0.0
    return History(keep=given.keep, deadband=deadband, max_gap_ns=gap)


def _check(scope: Scope, own: models.History, tag: Tag) -> None:
    """What a model does not see of one tag's own settings."""
    named = [key for key in _POLICIES if key in own.model_fields_set]
    if len(named) > 1:
        scope.report(
            ("history",), f"{' and '.join(named)} are two ways to choose what is kept. Write one of them."
        )
    if own.every is not None:
        if own.every < _EVERY_LEAST:
            scope.report(
                ("history", "every"), "every is shorter than 100 ms. Leave it out to keep every change."
            )
        if own.max_gap is not None:
            scope.report(("history", "max_gap"), "with every: a sample comes that often. Leave max_gap: out.")
        if tag.type == STRING:
            scope.report(("history", "every"), f"every change of {a(STRING)} is kept. Leave every: out.")
    if own.swinging_door is not None and not _is_drawn_straight(tag):
        text = "its value jumps, and a swinging door draws straight lines. Write deadband: or on change."
        scope.report(("history", "swinging_door"), f"{a(tag.type)}: {text}")
    elif own.swinging_door is not None and own.swinging_door.value == 0:
        scope.report(
            ("history", "swinging_door"),
            "a door of no width closes on every sample. Write how much a line may miss.",
        )


def _size(scope: Scope, tag: Tag, given: models.History, key: str, own: models.History) -> float:
    """A dead band or deviation in the tag's unit."""
    written = getattr(given, key)
    if written is None:
        return 0.0
    span = tag.range[1] - tag.range[0] if tag.range else None
    needed = getattr(own, key) is not None
    return scope.difference(("history", key), written, tag.unit, span, needed=needed)


def is_analog(tag: Tag) -> bool:
    """A measured number, not a state or a text."""
    return tag.type not in (BOOL, STRING) and not tag.states


def _is_drawn_straight(tag: Tag) -> bool:
    return tag.type in FLOATS and not tag.step and not tag.states


def retention(build: Building, made: models.Historian, source: NodeSource | None) -> Retention:
    """How long the site's history is kept.

    Args:
        build: Takes the problems.
        made: As written.
        source: Of the settings of the site; None when there are none.
    """
    minutes = made.minutes if made.minutes is not None else _longer(_YEARS_5, made.keep)
    hours = made.hours if made.hours is not None else 0
    for key, ns, shorter, least in (
        ("minutes", made.minutes, "keep", made.keep),
        ("hours", made.hours, "minutes", minutes),
    ):
        if ns is not None and source is not None and _longer(ns, least) != ns:
            text = f"{key} is shorter than {shorter}. Summaries are for the time after: write a longer one."
            Scope(build, source, "site").report(("historian", key), text)
    return Retention(
        samples_ns=made.keep,
        minutes_ns=minutes,
        hours_ns=hours,
        events_ns=_YEARS_5 if made.events is None else made.events,
        size=made.disk.size if made.disk else 0,
        share=(made.disk.share or _SHARE_MOST) if made.disk else _SHARE,
    )


def _longer(one: int, two: int) -> int:
    """The longer of two ages; 0 is for ever."""
    return 0 if not one or not two else max(one, two)

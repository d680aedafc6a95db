"""Outputs: how a writable device tag is written, what it does when control is lost, its command and selector."""

from __future__ import annotations

import dataclasses
from typing import Any

from tags.model import COMMAND, DEVICE, OWNER_PLC, OWNER_SCADA, OWNER_SHARED, OnLoss, Tag, Write
from tags.scaling import resolution
from tags.site import models
from tags.site.building import Building, Scope, a
from tags.site.fields import Quantity
from tags.types import BOOL, FLOATS, STRING


def changed(tag: Tag, **fields: Any) -> Tag:
    """Changes a tag that nobody else has yet: `dataclasses.replace` would cost a tenth of the whole check."""
    for name, value in fields.items():
        object.__setattr__(tag, name, value)
    return tag


def output(scope: Scope, model: models.Tag, tag: Tag) -> Tag:
    """A device tag that has an owner."""
    write = _write(scope, model, tag)
    if model.on_loss is None and model.owner == OWNER_SCADA and write.mode != "pulse":
        scope.report(
            (),
            "an output that we hold needs on_loss:, what it does when control is lost."
            " Add on_loss: hold, on_loss: release, or on_loss: {hold: 30 s, then: 0 %}.",
        )
    if model.owner == OWNER_SHARED and write.mode != "maintained":
        scope.report(
            ("write",), "a shared tag is written once per request. Leave write: out, or make its owner plc."
        )
    limits = scope.pair(("limits",), model.limits, tag.unit)
    if limits and tag.range and not (tag.range[0] <= limits[0] and limits[1] <= tag.range[1]):
        scope.report(
            ("limits",),
            f"limits reach outside the range {tag.range[0]:g} … {tag.range[1]:g}. Correct one of them.",
        )
    held = tag.limits
    if limits and held and not (held[0] <= limits[0] and limits[1] <= held[1]):
        scope.report(
            ("limits",),
            f"the device holds {held[0]} … {held[1]} there. Correct limits:, or address: and type:.",
        )
    span = tag.range[1] - tag.range[0] if tag.range else None
    remote = "" if model.remote is False else None if model.remote is True else model.remote
    return changed(
        tag,
        owner=model.owner,
        write=write,
        on_loss=_on_loss(scope, model, tag),
        limits=limits or (tag.range if tag.type != BOOL else None) or held,
        rate=scope.rate(("rate",), model.rate, tag.unit, span),
        writable=model.writable is not False,
        command=f"{tag.path}/command",
        remote=remote,
    )


def _write(scope: Scope, model: models.Tag, tag: Tag) -> Write:
    given = model.write or models.Write()
    defaults = scope.build.defaults.output
    if given.mode in ("pulse", "refresh") and given.time is None:
        scope.report(("write",), f"{given.mode} needs a time. Write write: {given.mode} 500 ms.")
    if given.mode == "maintained" and given.time is not None:
        scope.report(("write",), "maintained has no time. Leave it out, or write pulse or refresh.")
    if given.mode == "pulse" and tag.type != BOOL:
        scope.report(
            ("write",), f"a pulse is for a bool, and this is {a(tag.type)}. Write maintained or refresh."
        )
    if given.mode == "pulse" and model.owner == OWNER_SCADA:
        scope.report(("owner",), "what is written by pulse is held by the PLC. Write owner: plc.")
    if given.mode == "refresh" and model.owner == OWNER_PLC and tag.type == BOOL:
        scope.report(("write",), "a PLC is asked by pulse. Write write: pulse 500 ms, or owner: scada.")
    deadband = tolerance = 0.0
    if tag.type not in (BOOL, STRING):
        span = tag.range[1] - tag.range[0] if tag.range else None
        fallback = defaults.deadband or Quantity(0.0)
        deadband = scope.difference(
            ("write", "deadband"),
            given.deadband or fallback,
            tag.unit,
            span,
            needed=given.deadband is not None,
        )
        asked = given.tolerance or defaults.tolerance or Quantity(0.0)
        step = 1e-6 * (span or 1.0) if tag.scaling.plain and tag.type in FLOATS else resolution(tag.scaling)
        tolerance = scope.difference(
            ("write", "tolerance"), asked, tag.unit, span, needed=given.tolerance is not None
        )
        tolerance = max(tolerance, deadband, step if tag.type in FLOATS else 0.0)
    return Write(
        mode=given.mode,
        time_ns=given.time or 0,
        min_interval_ns=_or(
            given.min_interval, _or(defaults.min_interval if given.mode != "pulse" else None, 0)
        ),
        deadband=deadband,
        tolerance=tolerance,
        stop=bool(model.stop) or given.stop,
    )


def _on_loss(scope: Scope, model: models.Tag, tag: Tag) -> OnLoss | None:
    given = model.on_loss
    if given is None:
        return None
    if given.then in ("hold", "release"):
        return OnLoss(action=str(given.then), delay_ns=given.hold)
    value = scope.value(("on_loss", "then"), given.then, tag)
    return OnLoss(action="value", delay_ns=given.hold, value=value)


def command_of(tag: Tag) -> Tag:
    """The command tag of a writable device tag."""
    return Tag(
        id=0,
        path=f"{tag.path}/command",
        type=tag.type,
        kind=COMMAND,
        writer="control",
        row=0,
        description=f"{tag.description or tag.path}, command",
        unit=tag.unit,
        range=tag.range,
        decimals=tag.decimals,
        states=tag.states,
        limits=tag.limits,
        command=tag.path,
        step=True,
        display=tag.display,
        place=tag.place,
        was=None if tag.was is None else f"{tag.was}/command",
    )


def find_selectors(build: Building) -> None:
    """Gives writable device tags the Local/Remote selector of their unit, and checks the ones that are named."""
    for path, tag in list(build.tags.items()):
        if tag.kind != DEVICE or tag.owner is None:
            continue
        scope = Scope(build, build.sources[path], path)
        if tag.remote == "":
            build.tags[path] = dataclasses.replace(tag, remote=None)
        elif tag.remote is not None:
            selector = scope.tag(("remote",), tag.remote)
            if selector is not None and selector.type != BOOL:
                scope.report(
                    ("remote",), f"{tag.remote} is {a(selector.type)}. A selector is a bool, true for Remote."
                )
        else:
            sibling = build.tags.get(f"{path.rpartition('/')[0]}/REM")
            if sibling is not None and sibling.type == BOOL and sibling.kind == DEVICE:
                build.tags[path] = dataclasses.replace(tag, remote=sibling.path)


def _or(value: int | None, fallback: int) -> int:
    return fallback if value is None else value

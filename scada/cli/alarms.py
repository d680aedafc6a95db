"""`alarms`: lists them, shows what is known of one and what became of them, and does what people may do with them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

from scada.access import OPERATIONS
from scada.alarms.state import BY_REQUEST, DISABLED, OUT_OF_SERVICE
from scada.cli import options
from scada.cli.options import AsJson, Data, Reason, connect
from scada.cli.render import (
    REJECTED,
    USAGE,
    age_text,
    failed,
    local_text,
    out,
    show_json,
    show_table,
    utc_text,
)
from scada.client import AlarmState, Client, Condition, Note, StoreError
from scada.requests.message import ITEMS_MAX
from tags.units import did_you_mean

app = typer.Typer(
    no_args_is_help=True, help="List alarms; acknowledge, shelve, suppress, take out of service."
)

Names = Annotated[list[str] | None, typer.Argument(metavar="ALARM…")]

_MASKS: Final = {64: "disabled", 16: "out of service", 8: "shelved", 4: "suppressed"}
_STATES: Final = {
    0: "normal",
    1: "acknowledged",
    2: "returned, unacknowledged",
    3: "UNACKNOWLEDGED",
}
_UNCONFIRMED: Final = 32


def state_text(bits: int) -> str:
    """ISA-18.2 state in words."""
    for bit, name in _MASKS.items():
        if bits & bit:
            return name
    if bits & _UNCONFIRMED:
        return "acknowledged, to be confirmed" if bits & 1 else "returned, to be confirmed"
    return _STATES[bits & 3]


# ---- looking ---------------------------------------------------------------------------------------------------------


@app.command("list")
def list_(
    data: Data = None,
    as_json: AsJson = False,
    every: Annotated[
        bool, typer.Option("--all", help="Also those suppressed, shelved, out of service, disabled.")
    ] = False,
    aside: Annotated[
        bool,
        typer.Option("--aside", help="Only those that people have put aside, with who, why and how long."),
    ] = False,
) -> None:
    """Alarms that stand or wait for acknowledgement, most urgent first."""
    plant = connect(data, role="viewer")
    shown = plant.alarms(hidden=every or aside)
    if aside:
        shown = [alarm for alarm in shown if alarm.condition.aside is not None]
    if as_json:
        show_json([_json(alarm) for alarm in shown])
    elif not shown:
        out.print("Nothing is put aside." if aside else "No alarms.")
    elif aside:
        _show_aside(plant, shown)
    else:
        zone = plant.site.timezone
        show_table(
            ("priority", "state", "alarm", "since", "message", "response"),
            (
                (
                    a.priority,
                    state_text(a.bits),
                    a.path,
                    local_text(a.since_ns, zone) if a.since_ns else "—",
                    a.message,
                    a.response,
                )
                for a in shown
            ),
        )


def _show_aside(plant: Client, alarms: Sequence[AlarmState]) -> None:
    zone, now_ns = plant.site.timezone, time.time_ns()
    rows = []
    for alarm in alarms:
        one = alarm.condition
        note = one.aside or Note(0, "", "")
        rows.append(
            (
                alarm.priority,
                state_text(alarm.bits) + (", active" if alarm.active else ""),
                alarm.path,
                local_text(note.t_ns, zone),
                _left(one, now_ns),
                note.user,
                note.text,
            )
        )
    show_table(("priority", "state", "alarm", "since", "left", "by", "reason"), rows)


def _left(one: Condition, now_ns: int) -> str:
    other = one.bits & (BY_REQUEST | OUT_OF_SERVICE | DISABLED)
    return "until ended" if other or not one.unshelve_ns else _shelf_left(one, now_ns)


def _shelf_left(one: Condition, now_ns: int) -> str:
    left = age_text(max(0.0, (one.unshelve_ns - now_ns) / 1e9))
    return f"{left}, or normal" if one.one_shot else left


def _json(alarm: AlarmState) -> dict[str, Any]:
    return {
        "path": alarm.path,
        "tag": alarm.tag,
        "state": state_text(alarm.bits),
        "active": alarm.active,
        "unacknowledged": alarm.unacknowledged,
        "priority": alarm.priority,
        "message": alarm.message,
        "response": alarm.response,
        "value": alarm.value,
        "since": utc_text(alarm.since_ns) if alarm.since_ns else None,
        **_known(alarm.condition),
    }


def _known(one: Condition) -> dict[str, Any]:
    def note(found: Note | None) -> dict[str, Any] | None:
        return found and {"time": utc_text(found.t_ns), "user": found.user, "text": found.text}

    return {
        "unconfirmed": one.unconfirmed,
        "bits": one.bits,
        "shelved_until": utc_text(one.unshelve_ns) if one.unshelve_ns else None,
        **{name: note(getattr(one, name)) for name in _NOTES},
    }


_NOTES: Final = {
    "acknowledged": "acknowledged",
    "confirmed": "confirmed",
    "comment": "comment",
    "shelved": "shelved",
    "suppressed": "suppressed",
    "removed": "out of service",
    "disabled": "disabled",
}


@app.command()
def show(
    alarm: Annotated[str, typer.Argument(metavar="ALARM")], data: Data = None, as_json: AsJson = False
) -> None:
    """All that is known of one alarm, also at rest."""
    plant = connect(data, role="viewer")
    _check(plant, [alarm])
    one, zone = plant.condition(alarm), plant.site.timezone
    what = one.alarm
    if as_json:
        show_json({"path": alarm, "tag": what.tag, "state": state_text(one.bits), **_known(one)})
        return
    condition = f" {what.limit:g}" if what.kind in ("high", "low") else ""
    rows = [
        ("state", state_text(one.bits) + (", active" if one.active and one.aside else "")),
        ("priority", what.priority),
        ("watches", f"{what.tag}, {what.kind}{condition}"),
        ("message", what.message),
        ("response", what.response),
    ]
    rows += [
        (name, local_text(at, zone))
        for name, at in (("became active", one.active_ns), ("returned", one.inactive_ns))
        if at
    ]
    for field, name in _NOTES.items():
        note = getattr(one, field)
        if note is not None:
            by = f" by {note.user}" if note.user else ""
            rows.append((name, f"{local_text(note.t_ns, zone)}{by}{': ' if note.text else ''}{note.text}"))
    if one.unshelve_ns:
        rows.append(("shelved for", _shelf_left(one, time.time_ns())))
    show_table(("of", alarm), rows)


@app.command()
def events(
    alarms: Names = None,
    data: Data = None,
    as_json: AsJson = False,
    start: Annotated[str, typer.Option("--start", metavar="TIME", help="From.")] = "-24h",
    end: Annotated[str, typer.Option("--end", metavar="TIME", help="Until.")] = "now",
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="The newest so many.")] = 1000,
) -> None:
    """What became of alarms, and who did what with them, from history."""
    plant = connect(data, role="viewer")
    wanted = set(alarms or ())
    _check(plant, list(wanted))
    zone, now_ns = plant.site.timezone, time.time_ns()
    since, until = options.parse_time(start, now_ns, zone), options.parse_time(end, now_ns, zone)
    try:
        found = plant.events(since, until, ["alarm"], limit if not wanted else 100_000)
    except StoreError as error:
        raise failed(str(error))
    told = [event for event in found if not wanted or event.get("path") in wanted][-limit:]
    if as_json:
        show_json([{**event, "time": utc_text(event["t"])} for event in told])
        return
    show_table(
        ("time", "alarm", "what", "state", "by", "comment"),
        (
            (
                local_text(event["t"], zone),
                event["path"],
                str(event.get("action", "")),
                state_text(int(event["to"])),
                str(event.get("user", "")),
                str(event.get("comment", "")),
            )
            for event in told
        ),
    )


# ---- doing -----------------------------------------------------------------------------------------------------------


def _check(plant: Client, paths: Sequence[str]) -> None:
    known = {alarm.path for alarm in plant.site.alarms}
    for path in paths:
        if path not in known:
            hint = did_you_mean(path, known) or ". `scada alarms list` shows those that stand."
            raise failed(f"There is no alarm {path}{hint}", USAGE)


def _ask(
    plant: Client, kind: str, paths: Sequence[str], reason: str, done: str, for_s: float | None = None
) -> None:
    """Asks for all of them, as many at once as a request takes."""
    _check(plant, paths)
    with plant:
        for at in range(0, len(paths), ITEMS_MAX):
            some = paths[at : at + ITEMS_MAX]
            outcome = plant.request(kind, [(path, None) for path in some], reason=reason, for_s=for_s)
            if not outcome.ok:
                raise failed(f"{outcome.status}. {'; '.join(outcome.reasons)}", REJECTED)
            out.print(f"{done}: {', '.join(some)}", markup=False)


def _named(alarms: Sequence[str] | None) -> list[str]:
    if not alarms:
        raise failed("Name an alarm. `scada alarms list --all` shows them.", USAGE)
    return list(alarms)


def _reasoned(kind: str, reason: str) -> None:
    if not reason.strip():
        raise failed(f'scada alarms {kind} needs a reason: --reason "…"', USAGE)


@app.command()
def ack(
    alarms: Names = None,
    every: Annotated[bool, typer.Option("--all", help="Every unacknowledged alarm.")] = False,
    data: Data = None,
    reason: Reason = "",
) -> None:
    """Acknowledges alarms; the reason is kept as their comment."""
    plant = connect(data)
    if every:
        paths = [alarm.path for alarm in plant.alarms(hidden=True) if alarm.unacknowledged]
        if not paths:
            out.print("Nothing to acknowledge.")
            return
    elif alarms:
        paths = list(alarms)
    else:
        raise failed("Name an alarm, or --all.", USAGE)
    _ask(plant, "acknowledge", paths, reason, "acknowledged")


@app.command()
def shelve(
    alarms: Names = None,
    duration: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="Ends by itself after, e.g. 2h.")
    ] = None,
    once: Annotated[
        bool, typer.Option("--until-normal", help="Ends when the alarm returns to normal.")
    ] = False,
    data: Data = None,
    reason: Reason = "",
) -> None:
    """Shelves alarms: off the list for a time, then back by themselves."""
    paths = _named(alarms)
    if once is (duration is not None):
        raise failed("Say for how long: --for 2h, or --until-normal.", USAGE)
    _reasoned("shelve", reason)
    for_s = None if duration is None else options.parse_duration(duration)
    if for_s == 0:
        raise failed("A shelf lasts longer than 0 s.", USAGE)
    _ask(
        connect(data),
        "shelve",
        paths,
        reason,
        f"shelved {f'for {duration}' if duration else 'until normal'}",
        for_s,
    )


def _add(name: str, help_: str, done: str, *, reasoned: bool) -> None:
    """A verb that takes alarms and a reason."""

    def verb(alarms: Names = None, data: Data = None, reason: Reason = "") -> None:
        paths = _named(alarms)
        if reasoned:
            _reasoned(name, reason)
        _ask(connect(data), name, paths, reason, done)

    app.command(name, help=f"{help_} Role: {OPERATIONS[name]}.")(verb)


_add("confirm", "Confirms that what was to be done is done.", "confirmed", reasoned=False)
_add("comment", "Keeps a comment with alarms.", "commented", reasoned=True)
_add("unshelve", "Ends shelving.", "no longer shelved", reasoned=False)
_add("suppress", "Suppresses alarms until somebody ends it.", "suppressed", reasoned=True)
_add("unsuppress", "Ends a suppression by request.", "no longer suppressed", reasoned=False)
_add("remove", "Takes alarms out of service, for maintenance.", "out of service", reasoned=True)
_add("return", "Returns alarms to service.", "in service", reasoned=False)
_add("disable", "Disables alarms: their conditions are not looked at any more.", "disabled", reasoned=True)
_add("enable", "Enables alarms.", "enabled", reasoned=False)

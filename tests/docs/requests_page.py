"""Makes docs/reference/requests.md from the state machine itself: `python -m tests.docs.requests_page`.

The diagram and the table of states are `scada.requests.machine.TABLE`; limits are the program's constants; the texts of
refusals come from a running scan. So the page cannot say anything else than the program does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from scada.requests import inbox, machine, message
from scada.requests.machine import ACCEPTED, FINAL, NEW, SENT, TABLE
from tests.scan.plant import ARMED, LEVEL, PUMP, REMOTE, SP, VALVE, Plant

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "requests.md"

WHEN: Final[dict[tuple[str, str], str]] = {
    (NEW, "admit"): "nothing stands against it: role, type, range, mode, interlock, Local, arming were checked by control",
    (NEW, "refuse"): "something stands against it; every reason is named, and nothing was done",
    (ACCEPTED, "apply"): "the tag is control's own (set point, mode, memory): it has the value in this scan",
    (ACCEPTED, "publish"): "the value is in the command that field sees; a rate limit may take its time until then",
    (ACCEPTED, "refuse"): "Local, disarming, an interlock or a force came before it was sent",
    (ACCEPTED, "expire"): "its time was up before it could be sent; it is not sent any more",
    (ACCEPTED, "supersede"): "somebody wrote the same tag again; the later one counts",
    (SENT, "match"): "field wrote it, and a Good value that was read after the write is within the tolerance; a pulse: it was given",
    (SENT, "refuse"): "the device, the link or missing arming refused it",
    (SENT, "differ"): "its time is up, field wrote it, and something else is read back",
    (SENT, "expire"): "its time is up and nothing came back: **the outcome is not known**. Read the value before you ask again",
    (SENT, "supersede"): "somebody wrote the same tag again; the later one counts",
}  # fmt: skip

MEANING: Final[dict[str, str]] = {
    machine.CONFIRMED: "It is done, and it was seen to be done.",
    machine.REJECTED: "It was not done, and will not be. The reasons say who refuses.",
    machine.TIMED_OUT: "Nobody knows. It is never repeated by itself.",
    machine.MISMATCHED: "It was written, and the device shows another value.",
    machine.SUPERSEDED: "A later request for the same tag took its place.",
}

KINDS: Final[dict[str, str]] = {
    message.WRITE: "gives a value to one or more tags: all of them or none",
    message.ACKNOWLEDGE: "acknowledges alarms",
    message.CONFIRM: "confirms alarms that want it (`confirm: true`): what was to be done is done",
    message.COMMENT: "keeps a comment with alarms; an empty text as the value clears it",
    message.SHELVE: "shelves alarms for a stated time (`for_ns`); for 0 until they return to normal",
    message.UNSHELVE: "ends shelving",
    message.SUPPRESS: "suppresses alarms until somebody ends it",
    message.UNSUPPRESS: "ends a suppression by request",
    message.REMOVE: "takes alarms out of service, for maintenance",
    message.RETURN: "returns alarms to service",
    message.ENABLE: "enables alarms",
    message.DISABLE: "disables alarms: their conditions are not looked at any more",
    message.FORCE: "holds a value against the program and the device, for a stated time (`for_ns`)",
    message.UNFORCE: "ends a force",
    message.BYPASS: "takes an interlock or a cause out of service, with a reason and for a stated time",
    message.UNBYPASS: "ends a bypass",
}


def refusals() -> list[tuple[str, str]]:
    """What refuses, each with the words of a scan that was brought to it."""

    def say(what: str, plant: Plant, kind: str, *items: tuple[str, Any], **more: Any) -> tuple[str, str]:
        outcomes = plant.ask(kind, *items, **more)
        status, reasons = outcomes[-1]
        assert status == machine.REJECTED, (what, outcomes)
        return what, "; ".join(reasons)

    def plant(**registers: Any) -> Plant:
        made = Plant(registers=registers)
        made.scan(scans=4)
        return made

    auto = plant()
    auto.ask("write", ("tank1/LIC-101/MODE", "Auto"))
    return [
        say("role", plant(), "write", ("tank1/LIC-101/GAIN", 3.0), role="operator"),
        say("type", plant(), "write", (SP, "high")),
        say("range", plant(), "write", (SP, 4.5)),
        say("what may be written", plant(), "write", (LEVEL, 2.0)),
        say("mode", auto, "write", (VALVE, 50.0)),
        say("interlock", plant(**{LEVEL: 4.8}), "write", (VALVE, 50.0)),
        say("Local", plant(**{REMOTE: False}), "write", (VALVE, 50.0)),
        say("arming", plant(**{ARMED: False}), "write", (VALVE, 50.0)),
        say("not read yet", Plant(registers={}), "write", (VALVE, 50.0)),
        say("kind of output", plant(), "write", (PUMP, False)),
        say("alarm", plant(), "acknowledge", ("tank1/LT-101/HH", None), role="viewer"),
        say("state of an alarm", plant(), "acknowledge", ("tank1/LT-101/HH", None)),
        say("shelving", plant(), "shelve", ("tank1/LT-101/HH", None), for_ns=12 * 3600 * 10**9),
    ]  # fmt: skip


def diagram() -> str:
    """The table as a state diagram (Mermaid)."""
    lines = ["stateDiagram-v2", "    direction LR", f"    [*] --> {NEW}"]
    names = {state: state.replace(" ", "_") for pair in TABLE.items() for state in (pair[0][0], pair[1])}
    lines += [f"    {name}: {state}" for state, name in sorted(names.items()) if name != state]
    lines += [f"    {names[state]} --> {names[to]}: {happening}" for (state, happening), to in TABLE.items()]
    lines += [f"    {names[state]} --> [*]" for state in sorted(FINAL)]
    return "\n".join(lines)


def page() -> str:
    """The whole page."""
    seconds = message.DEADLINE_NS / 1e9
    rows = "\n".join(
        f"| {state} | {happening} | **{to}** | {WHEN[state, happening]} |" for (state, happening), to in TABLE.items()
    )  # fmt: skip
    ends = "\n".join(f"| **{state}** | {MEANING[state]} |" for state in (*MEANING,))
    kinds = "\n".join(f"| `{kind}` | {KINDS[kind]} |" for kind in message.KINDS)
    said = "\n".join(f"| {what} | {text} |" for what, text in refusals())
    return f"""# Requests

<!-- Made by `python -m tests.docs.requests_page`; change scada/requests/machine.py, not this page. -->

A request is the only way in for people and protocols: HMI, OPC UA, command line, gateways and scripts all send one to
control, which checks it again, does it or refuses it, and says what became of it. Every change of its state is an event in
the audit trail.

## States

```mermaid
{diagram()}
```

| from | happens | to | when |
|---|---|---|---|
{rows}

How it ends:

| end | meaning |
|---|---|
{ends}

A request of several items is called after its worst item, in this order: {", ".join(machine._WORST)}.

## Rules

* **All or none**: when one item is refused, no item is done.
* **At most once**: a write goes to the device once. After a lost reply the value is read back; nothing is repeated blindly. What
  was under way when control or field died is not sent again.
* **An id counts once**: a repeated id returns the recorded outcome, marked `repeated`, and does nothing else. The last
  {machine.LEDGER_MAX} outcomes are kept; the newest of them survive a restart.
* **A time limit**: {seconds:g} s unless the request says otherwise (`deadline_ns`, 0.1 s to 10 min), by control's own clock. What field
  has not written by then is not written any more.
* **Stops first**: what stops or closes goes before all else, then people (HMI, command line), then OPC UA, then gateways and
  scripts. Control takes {inbox.PER_SCAN} requests a scan, {inbox.PER_SOURCE_PER_SCAN} of one kind of source; {inbox.WAITING_PER_SOURCE} of a source may wait.
* **The role is checked twice**: where people sign in, and by control.

## What refuses, in its own words

| what | for example |
|---|---|
{said}

## The message

One JSON object a datagram, to the socket `control.sock` of the data directory; `scada.client` does this for scripts.

| kind | what it does |
|---|---|
{kinds}

The items of requests for alarms are pairs of the alarm's path and a comment, or null for the reason as the comment.

At most {message.ITEMS_MAX} items; a reason has at most {message.REASON_MAX} characters.
"""


if __name__ == "__main__":
    PAGE.write_text(page())

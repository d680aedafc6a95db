"""What a control that died had announced of requests, and had not kept yet.

The state that survives is written once a second; events are published in each scan. So after a death the event ring
knows more: outcomes that the state still has as open, and requests that the state does not know at all. Without them
a request that was confirmed would be announced once more as unknown, and one that is sent again would be done again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import orjson

from scada.requests import FINAL
from scada.requests.machine import LEDGER_MAX, REJECTED
from tags.events import EventReader
from tags.mapped import ImageError

_REQUEST: Final = b'"kind":"request"'


def announced(path: Path) -> list[dict[str, Any]]:
    """The events of requests in control's event ring, oldest first; none when there is no ring."""
    found: list[dict[str, Any]] = []
    with contextlib.suppress(ImageError), contextlib.closing(EventReader(path)) as reader:
        while payloads := reader.read(4096)[0]:
            for _, payload in payloads:
                if _REQUEST in payload:
                    with contextlib.suppress(ValueError):
                        found.append(orjson.loads(payload))
    return found


def amend(kept: dict[str, Any], events: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The kept state with what the events say of requests.

    Args:
        kept: As `scada.scan.retain.dump` gave it.
        events: Of requests, oldest first.

    Returns:
        The state; its `open` has the requests whose outcome nobody knows, its `outcomes` the others. A request that
        was refused and never accepted is left out: nothing was done, and it may be asked again.
    """
    open_ = {event["id"]: event for event in kept.get("open") or () if _is_event(event)}
    outcomes = {event["id"]: event for event in kept.get("outcomes") or () if _is_event(event)}
    for event in events:
        if not _is_event(event) or event.get("repeated") or event["id"] in outcomes:
            continue
        id_ = event["id"]
        if event["status"] not in FINAL:
            open_[id_] = event
        elif id_ in open_ or event["status"] != REJECTED:
            open_.pop(id_, None)
            outcomes[id_] = event
    for id_ in outcomes:
        open_.pop(id_, None)
    return {**kept, "open": list(open_.values()), "outcomes": list(outcomes.values())[-LEDGER_MAX:]}


def _is_event(event: Any) -> bool:
    return (
        isinstance(event, dict) and isinstance(event.get("id"), str) and event["id"] != ""
        and isinstance(event.get("status"), str) and event.get("request") != ""
    )  # fmt: skip

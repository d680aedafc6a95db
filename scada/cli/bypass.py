"""`bypass`: puts an interlock or a cause out of action for a time, ends that, lists what is bypassed."""

from __future__ import annotations

from typing import Annotated

import typer

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
from scada.client import Client
from tags.units import did_you_mean


def bypass(
    path: Annotated[
        str | None, typer.Argument(metavar="[PATH]", help="An interlock, or MATRIX/CAUSE; none lists.")
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="Ends by itself after, e.g. 2h.")
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="Ends a bypass now.")] = False,
    data: Data = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Puts a protection out of action for a time: with a reason, alarmed, listed, ended by control."""
    if path is None:
        if end or duration is not None:
            raise failed("Name the protection too. `scada bypass` lists what can be bypassed.", USAGE)
        _list(connect(data, role="viewer"), as_json=as_json)
        return
    plant = connect(data)
    name = path.removesuffix("/BYPASSED")
    if name not in plant.bypassable:
        hint = did_you_mean(name, plant.bypassable) or ". `scada bypass` lists what can be"
        raise failed(f"{name} cannot be bypassed{hint}{'' if hint.endswith('?') else '.'}", USAGE)
    if end:
        outcome = plant.request("unbypass", [(name, None)], reason=reason)
        done = f"{name} is no longer bypassed"
    elif duration is None:
        raise failed('A bypass needs an end and a reason: scada bypass PATH --for 2h --reason "…"', USAGE)
    else:
        outcome = plant.request(
            "bypass", [(name, None)], reason=reason, for_s=options.parse_duration(duration)
        )
        done = f"{name} is bypassed for {duration}"
    if not outcome.ok:
        reasons = "; ".join(outcome.reasons)
        raise failed(f"{name}: {outcome.status}{'. ' + reasons if reasons else ''}", REJECTED)
    out.print(done, markup=False)


def _list(plant: Client, *, as_json: bool) -> None:
    standing = {one.path: one for one in plant.bypasses()}
    if as_json:
        show_json(
            [
                {
                    "path": path,
                    "max_s": max_ns / 1e9,
                    "role": role,
                    "bypassed": path in standing,
                    "until": utc_text(one.until_ns) if (one := standing.get(path)) else None,
                    "since": utc_text(one.since_ns) if one else None,
                    "user": one.user if one else None,
                    "reason": one.reason if one else None,
                }
                for path, (max_ns, role) in plant.bypassable.items()
            ]
        )
        return
    if not plant.bypassable:
        out.print("This site lets nothing be bypassed: no interlock and no cause declares bypass:.")
        return
    zone = plant.site.timezone
    show_table(
        ("protection", "state", "until", "by", "reason", "may be"),
        (
            (
                path,
                "BYPASSED" if path in standing else "in action",
                local_text(standing[path].until_ns, zone) if path in standing else "",
                standing[path].user if path in standing else "",
                standing[path].reason if path in standing else "",
                f"{age_text(max_ns / 1e9)}, {role}",
            )
            for path, (max_ns, role) in plant.bypassable.items()
        ),
    )


def add_to(app: typer.Typer) -> None:
    """Registers the verb."""
    app.command()(bypass)

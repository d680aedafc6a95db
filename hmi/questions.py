"""Questions about history and their answers as JSON, made in a worker thread: encoding takes time too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from scada.client import Client, Cursor, Samples
from tags.model import Tag
from tags.types import FLOATS, STRING, Value


def samples(
    client: Client, tag: Tag, start_ns: int, end_ns: int, limit: int, cursor: Cursor | None, **more: bool
) -> bytes:
    """One page of stored samples, as `history_models.Samples`; arguments as `Client.history_page`."""
    found, after = client.history_page(tag.path, start_ns, end_ns, limit, cursor, **more)
    return _json(
        path=tag.path,
        type=tag.type,
        unit=tag.unit,
        t_ns=found.t,
        v=values(found),
        status=found.status,
        next=None if after is None else str(after),
    )


def values(found: Samples) -> Any:
    """Values for JSON: None where the status is Bad."""
    bad = found.status >> np.uint32(31) == 1
    if found.type in FLOATS:
        return found.floats
    listed: list[Value | None] = list(found.values)
    for i in np.flatnonzero(bad).tolist():
        listed[i] = None
    return listed


def moments(client: Client, tag: Tag, times_ns: Sequence[int], *, uncertain: bool, bridge: bool) -> bytes:
    """What a tag was at given times, as `history_models.Moments`; arguments as `Client.history_at`."""
    found, status = client.history_at(tag.path, times_ns, uncertain=uncertain, bridge=bridge)
    return _json(path=tag.path, unit=tag.unit, t_ns=np.array(times_ns, np.int64), v=found, status=status)


def intervals(client: Client, tag: Tag, name: str, *arguments: Any, **more: Any) -> bytes:
    """One value for each interval, as `history_models.Intervals`; arguments as `Client.aggregate`."""
    found = client.aggregate(tag.path, name, *arguments, **more)
    return _json(
        path=tag.path,
        aggregate=name,
        unit=found.unit,
        start_ns=found.start,
        end_ns=found.end,
        v=found.value,
        status=found.status,
        percent_good=found.percent_good,
        count=found.count,
    )


def grid(client: Client, tags: Sequence[Tag], times_ns: Sequence[int], *, uncertain: bool) -> bytes:
    """Several tags at the same times, as `history_models.Grid`."""
    texts = [tag.path for tag in tags if tag.type == STRING]
    if texts:
        raise ValueError(f"{texts[0]}: a text is nothing for a grid; read its samples")
    found = client.history_grid([tag.path for tag in tags], times_ns, uncertain=uncertain)
    columns = {
        tag.path: {
            "unit": tag.unit,
            "v": np.ascontiguousarray(found[tag.path]["value"]),
            "status": np.ascontiguousarray(found[tag.path]["status"]),
        }
        for tag in tags
    }
    return _json(t_ns=np.ascontiguousarray(found["t"]), tags=columns)


def _json(**fields: Any) -> bytes:
    """Numbers that are not finite become null: JSON has none."""
    plain = {
        name: np.ascontiguousarray(value) if isinstance(value, np.ndarray) else value
        for name, value in fields.items()
    }
    return orjson.dumps(plain, option=orjson.OPT_SERIALIZE_NUMPY)

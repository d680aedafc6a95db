"""Whether history is what it must be after a fault: nothing lost, nothing twice, everything in its order."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from historian.fold.chores import Chores
from historian.sqlite import SqliteStore
from historian.store import Store, StoreError
from tests.faults.work import (
    DAY,
    RETENTION,
    SAMPLED,
    STEP,
    WRITER,
    batch_of,
    forgotten_before,
    settle,
    time_of,
)
from tests.historian.contract import NOTE

ALL = 2**62
OLDER_NS = 10 * DAY  # before the days that are kept: what is older still is not looked at

Rows = npt.NDArray[Any]


class WrongError(AssertionError):
    """History is not what it must be."""


class Said(NamedTuple):
    """What the worker said: the newest batch that it acknowledged, and the time (UTC, ns) before which it forgets."""

    batch: int
    first_ns: int

    @classmethod
    def of(cls, words: Iterable[str]) -> Said:
        numbers = [int(word) for word in words]
        return cls(
            max((n for n in numbers if n > 0), default=0), max((-n for n in numbers if n < 0), default=0)
        )


@cache
def _made(number: int) -> npt.NDArray[np.void]:
    return batch_of(number).samples


def judge(folder: Path, said: Said, *, ahead: int = 1) -> int:
    """Opens the store as the historian does after a fault, and looks at everything.

    Args:
        folder: Of the store.
        said: What was acknowledged before the fault.
        ahead: How many batches more than acknowledged there may be.

    Returns:
        The newest batch that is there.

    Raises:
        WrongError: Something is lost, doubled or out of order, or the store does not open.
    """
    try:
        store = SqliteStore.writer(folder)
    except StoreError as error:
        raise WrongError(f"after batch {said.batch} the store does not open: {error}") from error
    try:
        newest = _judge(store, said, ahead)
        settle(Chores(store.work(), RETENTION), time_of(newest))  # what was begun is begun again
        return _judge(store, Said(newest, max(said.first_ns, forgotten_before(newest))), 0)
    except StoreError as error:
        raise WrongError(f"after batch {said.batch} the store cannot be read: {error}") from error
    finally:
        store.close()


def _judge(store: Store, said: Said, ahead: int) -> int:
    reached = store.position(*WRITER)
    newest = reached.sequence if reached else 0
    if not said.batch <= newest <= said.batch + ahead:
        raise WrongError(f"batch {said.batch} was acknowledged, the store has got to {newest}")
    first_ns = said.first_ns
    oldest = max(1, (first_ns - OLDER_NS - time_of(0)) // STEP)
    made = np.concatenate([_made(0)[:0], *(_made(number) for number in range(oldest, newest + 1))])
    since = time_of(oldest)
    made = made[made["t"] >= since]
    for tag in SAMPLED:
        found = store.raw(tag, since, ALL, 10**7)
        wanted = made[made["tag"] == tag]
        wanted = wanted[np.argsort(wanted["t"], kind="stable")]
        _compare(
            f"tag {tag}",
            list(zip(found.t.tolist(), found.bits.tolist(), strict=True)),
            list(zip(wanted["t"].tolist(), wanted["bits"].tolist(), strict=True)),
            first_ns,
        )
    every = [(time_of(number), number) for number in range(oldest, newest + 1)]
    events = [(event["t"], event["number"]) for event in store.events(since, ALL, ["login"], 10**7)]
    _compare("events", events, every, first_ns)
    texts = store.raw(NOTE, since, ALL, 10**7)
    _compare("texts", list(zip(texts.t.tolist(), map(int, texts.values), strict=True)), every, first_ns)
    return newest


def _compare(what: str, found: list[tuple[int, int]], wanted: list[tuple[int, int]], first_ns: int) -> None:
    """All from a time on must be there; of what is older, what is there must be right."""
    rest = iter(wanted)
    if not all(row in rest for row in found if row[0] < first_ns):
        raise WrongError(f"{what}: before the days that are kept something is twice or out of order")
    found, wanted = ([row for row in rows if row[0] >= first_ns] for rows in (found, wanted))
    if found == wanted:
        return
    lost, more = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    twice = len(found) - len(set(found)) - (len(wanted) - len(set(wanted)))
    raise WrongError(
        f"{what}: {len(found)} of {len(wanted)}; lost {lost[:3]}…({len(lost)}), not made {more[:3]}…({len(more)}), "
        f"twice {twice}{'' if lost or more or twice else ', out of order'}"
    )

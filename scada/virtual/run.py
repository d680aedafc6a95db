"""A simulated stretch of a plant's life, with people, faults and a judge; repeatable by its seed."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from scada.datadir import DataDir
from scada.virtual.control import Control
from scada.virtual.faults import Faults
from scada.virtual.judge import Judge
from scada.virtual.machine import Machine
from scada.virtual.people import People
from tags.model import Site

SECOND: Final = 1_000_000_000
WARM_UP_S: Final = 5.0
CALM_S: Final = 40.0
SETTLE_S: Final = 5
LOOK_NS: Final = SECOND // 2
CHECK_NS: Final = SECOND
LINES: Final = 40


@dataclass(slots=True, kw_only=True)
class Plan:
    """What is simulated.

    Attributes:
        seed: Of everything that is random.
        hours: Of plant time.
        utc_ns: Wall clock at the beginning, ns UTC.
        requests_s: Requests a second.
        fault_s: Mean time between two faults, s; 0 for none.
        faults: Names of faults; None for all.
        requests: End early after so many requests; 0 for no such end.
        calm_s: Time at the end without faults, in which everything comes to rest, s.
    """

    seed: int
    hours: float
    utc_ns: int
    requests_s: float = 0.05
    fault_s: float = 60.0
    faults: Iterable[str] | None = None
    requests: int = 0
    calm_s: float = CALM_S


@dataclass(slots=True)
class Report:
    """What came of it.

    Attributes:
        seed: As planned.
        seconds: Of plant time.
        breaches: What was wrong; empty when all rules held.
        counts: How often what happened.
        faults: How often each fault was done.
        digest: Of every output of every scan: equal for equal seeds.
        story: The last faults before the end, or before the first breach.
    """

    seed: int
    seconds: float = 0.0
    breaches: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    faults: dict[str, int] = field(default_factory=dict)
    digest: str = ""
    story: list[str] = field(default_factory=list)


def simulate(site: Site, plan: Plan, progress: Callable[[float], None] | None = None) -> Report:
    """Simulates a plant.

    Args:
        site: What runs; devices without a simulator are memory that keeps what is written.
        plan: Seed, length, how much goes wrong.
        progress: Called now and then with the plant time so far, s.
    """
    shm = Path("/dev/shm")  # noqa: S108 - a private folder with a random name is made below it
    with tempfile.TemporaryDirectory(prefix="scada-simulate-", dir=shm if shm.is_dir() else None) as folder:
        data = DataDir(Path(folder) / "data")
        data.run.mkdir(mode=0o700, parents=True)  # not a link to elsewhere, which would stay behind
        machine = Machine(site, data, plan.seed, plan.utc_ns)
        try:
            return _run(machine, plan, progress)
        finally:
            machine.close()


def side_by_side(site: Site, plans: Sequence[Plan]) -> Iterator[tuple[Plan, Report]]:
    """Simulates several plans, as many at once as there are cores; each comes when it is done.

    One plan alone is simulated in this process.
    """
    if len(plans) == 1:
        yield plans[0], simulate(site, plans[0])
        return
    workers = min(len(plans), len(os.sched_getaffinity(0)))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(simulate, site, plan): plan for plan in plans}
        for done in as_completed(waiting):
            yield waiting[done], done.result()


def _run(machine: Machine, plan: Plan, progress: Callable[[float], None] | None) -> Report:
    world = machine.world
    began_ns = world.now_ns
    judge = Judge(machine)
    story: list[str] = []

    def note(line: str) -> None:
        if not judge.breaches:
            story.append(f"{(world.now_ns - began_ns) / 1e9:.3f} s: {line}")
            del story[:-LINES]

    people = People(machine.site, plan.seed, machine.send, judge.asked)
    faults = Faults(
        machine, plan.seed, note, lambda: people.ask(world.now_ns), plan.fault_s or 1.0, plan.faults
    )
    digest = _Digest(machine)
    for name in machine.wires:
        machine.arm(name)
    machine.run(WARM_UP_S)
    end_ns = began_ns + round(plan.hours * 3600 * SECOND)
    quiet = False

    def ask() -> None:
        people.ask(world.now_ns)
        if not quiet:
            world.after(round(SECOND / plan.requests_s), ask)

    def look() -> None:
        judge.look()
        world.after(LOOK_NS, look)

    def check() -> None:
        judge.check_signals()
        world.after(CHECK_NS, check)

    if plan.requests_s:
        ask()
    look()
    check()
    if plan.fault_s:
        faults.begin()
    while world.now_ns < end_ns and not judge.breaches:
        machine.run(min(60.0, (end_ns - world.now_ns) / 1e9))
        if progress is not None:
            progress((world.now_ns - began_ns) / 1e9)
        if plan.requests and judge.counts["requests"] >= plan.requests:
            break
    quiet = True
    if not judge.breaches:
        faults.calm()
        machine.run(plan.calm_s)
        judge.check_signals()
        judge.final()
        apart = judge.apart()
        for _ in range(
            SETTLE_S
        ):  # a command that moves is followed; one that is not followed for so long is not
            machine.run(1.0)
            now = judge.apart()
            apart = {path: now[path] for path in apart if path in now}
        for text in apart.values():
            judge.breach(text)
    seconds = (world.now_ns - began_ns) / 1e9
    done = {name: count for name, count in faults.counts.items() if count}
    return Report(plan.seed, seconds, judge.breaches, judge.counts, done, digest.hex(), story)


class _Digest:
    """One number for everything that control did."""

    def __init__(self, machine: Machine) -> None:
        self._hash = hashlib.blake2b(digest_size=8)
        self._program = machine.program
        machine.scanned.append(self._take)
        machine.written.append(lambda written: self._hash.update(repr(written).encode()))

    def _take(self, control: Control, events: list[dict[str, object]]) -> None:
        signals = control.state.signals
        values = [signals.value[plan.command] for plan in self._program.outputs if plan.command >= 0]
        self._hash.update(repr((values, len(events))).encode())

    def hex(self) -> str:
        """The number."""
        return self._hash.hexdigest()

"""Writers and readers as processes, killed with SIGKILL at random: `python -m tests.image.torture KIND SEED SECONDS DIR [PLANTED]`.

Prints a JSON report. Forked from a small process of its own, as 200 starts of Python would take a minute.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tags import quality
from tags.events import EventReader, EventWriter
from tags.image import ImageReader, ImageWriter
from tags.mapped import Position
from tags.ring import EPOCH_MARK, RingReader, RingWriter
from tags.slots import SlotReader, SlotWriter
from tests.image.oracle import Acked, Knowledge, event, parse_event, ring_records, torn
from tests.image.planted import PLANTED

CLASSES: dict[str, Any] = {
    "ImageReader": ImageReader, "ImageWriter": ImageWriter, "RingReader": RingReader, "RingWriter": RingWriter,
    "EventReader": EventReader, "EventWriter": EventWriter, "SlotReader": SlotReader, "SlotWriter": SlotWriter,
}  # fmt: skip
ROWS = 30_000  # so many that a good part of all kills hits inside a publish
RING = 2048
EVENT_BYTES = 1 << 17
SLOT = 20_000
ENOUGH = 100  # new records for each reader
KILLS = 20
PATIENCE_S = 40
EPOCHS_A_FILE = 2, 12  # one of these; then the file is lost, as by a reboot


def pause(seconds: float) -> None:
    select.select([], [], [], seconds)


# Writers: run until they are killed.


def write_image(folder: Path, epoch: int, chance: random.Random) -> None:
    writer = CLASSES["ImageWriter"].open(folder / "image", epoch)
    pause(chance.random() * 2e-3)  # a service reads a lot before its first publish
    number = 0
    while True:
        number += 1
        word = epoch << 40 | number
        writer.publish(slice(None), word, number & 0xFFFF, word, ~word, word, word)
        writer.beat()
        pause(chance.random() * 3e-4)


def write_ring(folder: Path, epoch: int, chance: random.Random) -> None:
    writer = CLASSES["RingWriter"].open(folder / "ring", epoch)
    acked = Acked(folder / "acked")
    number = 0
    while True:
        count = chance.randint(1, RING)
        writer.append(ring_records(epoch, number, count))
        number += count
        acked.put(epoch, number)
        if chance.random() < 0.3:
            pause(chance.random() * 5e-4)


def write_events(folder: Path, epoch: int, chance: random.Random) -> None:
    writer = CLASSES["EventWriter"].open(folder / "events", epoch)
    acked = Acked(folder / "acked")
    number = 0
    while True:
        writer.append(event(epoch, number, chance.choice([0, 9, 100, chance.randint(0, 30_000)])))
        number += 1
        acked.put(epoch, number)
        if chance.random() < 0.1:
            pause(chance.random() * 5e-4)


def write_slots(folder: Path, epoch: int, chance: random.Random) -> None:
    writer = CLASSES["SlotWriter"].open(folder / "slots", epoch)
    number = 0
    while True:
        writer.write(event(epoch, number, chance.randint(0, SLOT - 100)))
        number += 1
        if chance.random() < 0.1:
            pause(chance.random() * 2e-4)


# Readers: one step of reading and judging; True when there was nothing new.


def read_image(folder: Path) -> Callable[[Knowledge], bool]:
    reader = CLASSES["ImageReader"](folder / "image")
    last = [0]

    def step(know: Knowledge) -> bool:
        if reader.replaced():
            reader.__init__(folder / "image")
            last[0] = 0
        if not reader.snapshot():
            know.lost += 1
            return False
        if (reader.status == quality.BAD_NO_COMMUNICATION).all() or not reader.version.any():
            return False  # whose rows nobody vouches for
        word = int(reader.version[0])
        same = (
            (reader.value == word).all() and (reader.source_ns == word).all() and (reader.version == word).all()
            and (reader.publish_ns == ~word).all() and (reader.aux == word).all()
            and (reader.status == word & 0xFFFF).all()
        )  # fmt: skip
        if not same:
            know.problems.append(f"torn snapshot near {word:#x}")
        if word < know.number:
            know.problems.append(f"image went back from {know.number:#x} to {word:#x}")
        know.seen += word != know.number
        know.number = word
        return True

    return step


def read_ring(folder: Path) -> Callable[[Knowledge], bool]:
    acked = Acked(folder / "acked")
    reader: list[Any] = []

    def step(know: Knowledge) -> bool:
        if not reader or reader[0].replaced():
            position = Position(*know.position) if know.position else None
            reader[:] = [CLASSES["RingReader"](folder / "ring", position)]
            if position is None:
                know.since = True  # begins somewhere
        records, lost = reader[0].read(1500)
        know.losing(lost)
        sequence = reader[0].position.sequence - len(records)
        marks = np.flatnonzero(records["tag"] == EPOCH_MARK).tolist()
        begin = 0
        for end in [*marks, len(records)]:
            part = records[begin:end]
            if len(part):
                judge_ring(know, part, sequence + begin, acked)
            if end < len(records):
                know.mark(int(records["bits"][end]))
            begin = end + 1
        know.position = tuple(reader[0].position)
        return len(records) == 0 and not lost

    return step


def judge_ring(know: Knowledge, part: Any, sequence: int, acked: Acked) -> None:
    if torn(part):
        know.problems.append(f"torn record at {sequence} …")
        return
    epochs = (part["bits"] >> np.uint64(40)).astype(np.int64)
    numbers = (part["bits"] & np.uint64((1 << 40) - 1)).astype(np.int64)
    if len(set(epochs.tolist())) > 1:
        know.problems.append(f"epochs {sorted(set(epochs.tolist()))} without a mark between")
    elif (np.diff(numbers) != 1).any():
        know.problems.append(f"a hole in epoch {epochs[0]} at {sequence} …")
    know.check_marked(int(epochs[0]))
    know.stretch(int(epochs[0]), sequence, int(numbers[0]), len(part), acked)


def read_events(folder: Path) -> Callable[[Knowledge], bool]:
    acked = Acked(folder / "acked")
    reader: list[Any] = []

    def step(know: Knowledge) -> bool:
        if not reader or reader[0].replaced():
            position = Position(*know.position) if know.position else None
            reader[:] = [CLASSES["EventReader"](folder / "events", position)]
            if position is None:
                know.since = True
        found, lost = reader[0].read(50)
        before = know.position
        know.losing(lost)
        for sequence, payload in found:
            who = parse_event(payload)
            if who is None:
                know.problems.append(f"torn event {sequence}")
                continue
            know.stretch(who[0], sequence, who[1], 1, acked)
        know.position = tuple(reader[0].position)
        if before and not lost and know.position[1] != before[1] + len(found):
            know.problems.append(f"position {know.position} after {before} and {len(found)} events")
        return not found and not lost

    return step


def read_slots(folder: Path) -> Callable[[Knowledge], bool]:
    reader: list[Any] = []

    def step(know: Knowledge) -> bool:
        if not reader or reader[0].replaced():
            reader[:] = [CLASSES["SlotReader"](folder / "slots")]
        payload = reader[0].read()
        if payload is None:
            know.lost += 1
            return False
        who = parse_event(payload)
        if who is None:
            know.problems.append("torn slot")
            return True
        if (who[0] << 40) + who[1] < know.number:
            know.problems.append(f"slot went back to {who}")
        know.seen += (who[0] << 40) + who[1] != know.number
        know.number = (who[0] << 40) + who[1]
        return True

    return step


ROLES: dict[str, tuple[str, Any, Any, Callable[[Path, int], object]]] = {
    "image": ("image", write_image, read_image, lambda p, e: CLASSES["ImageWriter"].create(p, ROWS, (), e)),
    "ring": ("ring", write_ring, read_ring, lambda p, e: CLASSES["RingWriter"].create(p, RING, e)),
    "events": (
        "events",
        write_events,
        read_events,
        lambda p, e: CLASSES["EventWriter"].create(p, EVENT_BYTES, e),
    ),
    "slots": ("slots", write_slots, read_slots, lambda p, e: CLASSES["SlotWriter"].create(p, SLOT, e)),
}


def read_forever(kind: str, folder: Path, name: str) -> None:
    knowledge = folder / f"{name}.json"
    know = Knowledge.load(knowledge)
    step = ROLES[kind][2](folder)
    while not know.problems:
        idle = step(know)
        know.save(knowledge)
        if idle:
            pause(1e-4)
    pause(60)


def renew(path: Path, create: Callable[[Path, int], object], epoch: int, *, lost: bool) -> None:
    """A new file, as by a new start: after a reboot nothing of the old one is there to go on from."""
    if not lost:
        create(path, epoch)
        return
    fresh = path.with_name("fresh")
    fresh.unlink(missing_ok=True)
    create(fresh, epoch)
    fresh.rename(path)


def drain(kind: str, folder: Path, name: str) -> Knowledge:
    know = Knowledge.load(folder / f"{name}.json")
    step = ROLES[kind][2](folder)
    for _ in range(10_000):
        if know.problems or step(know):
            break
    if kind in ("ring", "events") and not know.problems:
        know.finish(Acked(folder / "acked"))
    return know


def fork(work: Callable[[], None]) -> int:
    process = os.fork()
    if process == 0:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - a child must never return into the parent's code
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(3)
    return process


def kill(process: int) -> bool:
    """Kills and reaps; False when it had ended by itself, which is a bug of the test or of what is tested."""
    os.kill(process, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(process, 0)[1])


def torture(kind: str, seed: int, seconds: float, folder: Path) -> dict[str, Any]:
    chance = random.Random(seed)
    file, write, _, create = ROLES[kind]
    names = ["steady", "killed"]
    readers: dict[str, int] = {}
    kills = epoch = renewal = 0
    failures: list[str] = []
    start = time.monotonic()
    known = {name: Knowledge() for name in names}
    # On a busy machine readers and kills come late: go on until there were some.
    while not failures and (
        time.monotonic() < start + seconds
        or (
            (kills < KILLS or min(know.seen for know in known.values()) < ENOUGH)
            and time.monotonic() < start + PATIENCE_S
        )
    ):
        if epoch == renewal:
            renewal += chance.choice(EPOCHS_A_FILE)
            renew(folder / file, create, epoch + 1, lost=chance.random() < 0.7)
        epoch += 1
        draw = random.Random(chance.random())
        writer = fork(lambda epoch=epoch, draw=draw: write(folder, epoch, draw))  # type: ignore[misc]
        for name in names:
            if name not in readers:
                readers[name] = fork(lambda name=name: read_forever(kind, folder, name))  # type: ignore[misc]
        pause(chance.uniform(0.001, 0.06))
        if not kill(writer):
            failures.append("a writer ended by itself")
        kills += 1
        if chance.random() < 0.5:
            kills += 1
            if not kill(readers.pop("killed")):
                failures.append("a reader ended by itself")
        for name in names:
            known[name] = Knowledge.load(folder / f"{name}.json")
            failures += [f"{name}: {text}" for text in known[name].problems]
    for process in readers.values():
        kill(process)
    ends = {name: drain(kind, folder, name) for name in names}
    if not failures:
        failures = [f"{name}: {text}" for name, know in ends.items() for text in know.problems]
    return {
        "seed": seed, "kills": kills, "epochs": epoch, "problems": failures,
        "seen": {name: know.seen for name, know in ends.items()},
        "lost": {name: know.lost for name, know in ends.items()},
    }  # fmt: skip


def main(kind: str, seed: str, seconds: str, folder: str, planted: str = "") -> None:
    if planted:
        name, replacement = PLANTED[planted]
        CLASSES[name] = replacement
    print(json.dumps(torture(kind, int(seed), float(seconds), Path(folder))))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Process image, rings and slots beside what Python offers for the same work: `python -m bench.image`.

All files lie on tmpfs, as in a plant. Peers do the same work in the same process and the same run.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import shared_memory
from pathlib import Path
from typing import Any

import numpy as np

from bench.harness import Results
from tags.events import EventReader, EventWriter
from tags.image import ImageReader, ImageWriter
from tags.ring import RingReader, RingWriter, changes
from tags.slots import SlotReader, SlotWriter

TAGS = 10_000
ALL = slice(None)


def median_us(
    work: Callable[[], object], times: int = 3000, before: Callable[[], object] | None = None
) -> float:
    """Median duration of `work`, µs; `before` runs untimed before each."""
    spent = []
    for _ in range(times):
        if before:
            before()
        start = time.perf_counter_ns()
        work()
        spent.append(time.perf_counter_ns() - start)
    return statistics.median(spent) / 1e3


def per_second(work: Callable[[], int], seconds: float = 1.0) -> float:
    """How many things `work` does in a second; it returns how many it did."""
    done = 0
    start = time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        done += work()
    return done / spent


@dataclasses.dataclass(slots=True)
class Sample:
    """The peer of a row: one Python object for each tag."""

    value: float = 0.0
    source_ns: int = 0
    publish_ns: int = 0
    status: int = 0


class LockedTable:
    """The usual way: `multiprocessing.shared_memory`, columns as here, and one lock."""

    def __init__(self) -> None:
        self.memory = shared_memory.SharedMemory(create=True, size=TAGS * 44)
        words: Any = np.ndarray(TAGS * 11, np.uint32, self.memory.buf)
        self.words = words
        self.value, self.source_ns, self.publish_ns = words[: 6 * TAGS].view(np.uint64).reshape(3, TAGS)
        self.status = words[6 * TAGS : 7 * TAGS]
        self.copy = np.empty_like(words)
        self.lock = multiprocessing.Lock()

    def publish(self, bits: Any, status: Any, source_ns: Any, publish_ns: int) -> None:
        """Writes four columns under the lock."""
        with self.lock:
            self.value[:] = bits
            self.source_ns[:] = source_ns
            self.publish_ns[:] = publish_ns
            self.status[:] = status

    def snapshot(self) -> None:
        """Copies the table under the lock."""
        with self.lock:
            np.copyto(self.copy, self.words)

    def close(self) -> None:
        """Unmaps and unlinks."""
        del self.words, self.value, self.source_ns, self.publish_ns, self.status
        self.memory.close()
        self.memory.unlink()


def objects_peer(bits: list[int], times: list[int]) -> float:
    samples = [Sample() for _ in range(TAGS)]

    def update() -> None:
        for sample, value, source_ns in zip(samples, bits, times, strict=True):
            sample.value = value
            sample.source_ns = source_ns
            sample.publish_ns = 7
            sample.status = 0

    return median_us(update, 200)


def pipe_peer(bits: list[int], times: list[int]) -> float:
    """One full table as pickled columns through a pipe, both ends here."""
    receive, send = multiprocessing.Pipe(duplex=False)
    message = {"value": bits, "source_ns": times, "status": [0] * TAGS}
    pieces = 30_000

    def trip() -> None:
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        got = bytearray()
        for start in range(0, len(data), pieces):
            send.send_bytes(data[start : start + pieces])
            got += receive.recv_bytes()
        pickle.loads(got)

    return median_us(trip, 100)


def image(results: Results, folder: Path) -> None:
    random = np.random.default_rng(1)
    bits = random.integers(0, 2**63, TAGS, np.uint64)
    source_ns = random.integers(0, 2**62, TAGS, np.int64)
    status = np.zeros(TAGS, np.uint32)
    versions = np.arange(TAGS, dtype=np.uint64)
    writer = ImageWriter.create(folder / "image", TAGS)
    reader = ImageReader(folder / "image")
    peer = LockedTable()

    def publish() -> None:
        writer.publish(ALL, bits, status, source_ns, 7)

    def publish_all() -> None:
        writer.publish(ALL, bits, status, source_ns, 7, versions, versions)

    locked = median_us(lambda: peer.publish(bits, status, source_ns, 7))
    name = "shared_memory + Lock"
    results.add("publish 10,000 tags", median_us(publish), "µs", "<= 10", name, locked)
    results.add("publish 10,000 tags, version and aux too", median_us(publish_all), "µs")
    objects = objects_peer(bits.tolist(), source_ns.tolist())
    results.add("update 10,000 tags", median_us(publish), "µs", "", "Python objects", objects)
    some = np.sort(random.choice(TAGS, 100, replace=False))
    values = bits[some].copy()
    results.add(
        "publish 100 scattered tags of 10,000", median_us(lambda: writer.publish(some, values, 0, 1, 7)), "µs"
    )
    locked = median_us(peer.snapshot)
    results.add(
        "snapshot 10,000 tags", median_us(reader.snapshot, before=publish), "µs", "<= 10", name, locked
    )
    results.add(
        "snapshot 10,000 tags, version and aux too", median_us(reader.snapshot, before=publish_all), "µs"
    )
    results.add("snapshot when nothing was published", median_us(reader.snapshot), "µs")
    trip = pipe_peer(bits.tolist(), source_ns.tolist())

    def both() -> None:
        publish()
        reader.snapshot()

    results.add("10,000 tags from writer to reader", median_us(both), "µs", "", "pickle over Pipe", trip)
    results.add("the same, to another process", other_process(folder, publish), "µs")
    peer.close()


OTHER = """
import sys, time
from pathlib import Path
from statistics import median
from tags.image import ImageReader
reader = ImageReader(Path(sys.argv[1]))
spent, end = [], time.monotonic() + 1.5
while time.monotonic() < end:
    last = reader.sequence
    while reader.sequence == last and time.monotonic() < end:
        pass
    start = time.perf_counter_ns()
    if reader.snapshot():
        spent.append(time.perf_counter_ns() - start)
print(median(spent) / 1e3)
"""


def other_process(folder: Path, publish: Callable[[], object]) -> float:
    """A snapshot in another process, right after each publish (every ms) of this one: caches are cold."""
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, str(folder / "image")], stdout=subprocess.PIPE, text=True
    ) as reader:
        while reader.poll() is None:
            publish()
            time.sleep(0.001)
        assert reader.stdout
        return float(reader.stdout.read())


def ring(results: Results, folder: Path) -> None:
    writer = RingWriter.create(folder / "ring", 1 << 20)
    reader = RingReader(folder / "ring")
    records = changes(1, 0, 1, 1, np.arange(10_000, dtype=np.uint64), 10_000)

    def append() -> int:
        writer.append(records)
        return len(records)

    def append_and_read() -> int:
        writer.append(records)
        got, lost = reader.read()
        assert lost == 0
        return len(got)

    queue: multiprocessing.Queue[Any] = multiprocessing.Queue()
    tuples = [(1, 0, 1, 1, number) for number in range(1000)]

    def through_queue() -> int:
        for one in tuples:
            queue.put(one)
        for _ in tuples:
            queue.get()
        return len(tuples)

    results.add("ring: append, 10,000 at a time", per_second(append), "changes/s", ">= 2e7")
    reader.to_end()
    peer = per_second(through_queue)
    results.add(
        "ring: append and read",
        per_second(append_and_read),
        "changes/s",
        ">= 2e7",
        "multiprocessing.Queue",
        peer,
    )
    queue.close()
    one = records[:1]

    def append_one() -> int:
        for _ in range(100):
            writer.append(one)
        return 100

    results.add("ring: append, one at a time", per_second(append_one), "changes/s")


def events(results: Results, folder: Path) -> None:
    writer = EventWriter.create(folder / "events", 1 << 22)
    reader = EventReader(folder / "events")
    payload = b"x" * 200

    def round_trip() -> int:
        for _ in range(100):
            writer.append(payload)
        found, lost = reader.read()
        assert lost == 0
        return len(found)

    results.add("event ring: append and read, 200 bytes", per_second(round_trip), "events/s")
    state = b"x" * 100_000
    slots, slot_reader = SlotWriter.create(folder / "slots", len(state)), SlotReader(folder / "slots")
    results.add("slots: write 100 kB", median_us(lambda: slots.write(state), 1000), "µs")
    results.add("slots: read 100 kB", median_us(slot_reader.read, 1000), "µs")


def main() -> None:
    results = Results("image")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        image(results, Path(name))
        ring(results, Path(name))
        events(results, Path(name))
    results.write()


if __name__ == "__main__":
    main()

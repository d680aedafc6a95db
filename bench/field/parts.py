"""Decoding and planning alone."""

from __future__ import annotations

import time

from scada.field.modbus.address import Address
from scada.field.modbus.config import Config
from scada.field.modbus.decode import Decoder, Point
from scada.field.modbus.plan import plan
from tags.model import Scaling


def decoding() -> float:
    """Ns for each of 6,000 scaled floats that are decoded at once."""
    config = Config(endpoint="tcp://127.0.0.1")
    scaling = Scaling(gain=0.5, offset=1.0)
    points = [Point(Address("holding", 2 * i, None, 2, "float32"), "float64", scaling) for i in range(6000)]
    (group,) = plan([p.address for p in points], [1] * len(points), config)
    decoder = Decoder(points, group.requests, config)
    for number, request in enumerate(group.requests):
        decoder.put(number, bytes(request.payload_bytes))
    times = []
    for _ in range(300):
        start = time.perf_counter_ns()
        decoder.decode()
        times.append(time.perf_counter_ns() - start)
    return sorted(times)[len(times) // 2] / len(points)


def planning() -> float:
    """Ms to plan the requests of 10,000 tags."""
    config = Config(endpoint="tcp://127.0.0.1")
    where = [Address("holding", 6 * i, None, 2, "float32") for i in range(10_000)]
    start = time.perf_counter_ns()
    plan(where, [1] * len(where), config)
    return (time.perf_counter_ns() - start) / 1e6

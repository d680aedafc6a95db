from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from historian.chunks import SUMMARY, form_of, summarised
from historian.chunks.table import pack_table, unpack_table
from historian.store import StoreDamagedError
from tags.types import FLOAT64, INT32, UINT64

STATUSES = [0, 0, 0, 0x4000_0000, 0x8031_0000, 0x809B_0000]
SAMPLES = st.lists(
    st.tuples(
        st.integers(-(2**62), 2**62),
        st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 2**64 - 1])),
        st.sampled_from(STATUSES),
    ),
    min_size=1,
    max_size=20,
)


@given(SAMPLES, st.sets(st.integers(1, 19), max_size=5), st.sampled_from([FLOAT64, INT32, UINT64]))
def test_summaries_come_back(samples: list[tuple[int, int, int]], cuts: set[int], type_: str) -> None:
    samples.sort(key=lambda sample: sample[0])
    t, bits, status = (
        np.array(column, dtype)
        for column, dtype in zip(zip(*samples, strict=True), (np.int64, np.uint64, np.uint32), strict=True)
    )
    starts = np.array([0, *sorted(cut for cut in cuts if cut < len(t))])
    records = summarised(t, bits, status, starts, 7, form_of(type_), 1_000_000_000)
    found = unpack_table(pack_table(records))
    for name in SUMMARY.names or ():
        assert found[name].tobytes() == records[name].tobytes(), name


@given(st.data())
def test_a_flipped_bit_is_found(data: st.DataObject) -> None:
    n = 50
    t = np.arange(n) * 1_000_000_000
    records = summarised(
        t, t.view(np.uint64), np.zeros(n, np.uint32), np.arange(0, n, 10), 7, 0, 1_000_000_000
    )
    block = bytearray(pack_table(records))
    bit = data.draw(st.integers(0, len(block) * 8 - 1))
    block[bit // 8] ^= 1 << bit % 8
    with pytest.raises(StoreDamagedError):
        unpack_table(bytes(block))
    with pytest.raises(StoreDamagedError):
        unpack_table(pack_table(records)[: data.draw(st.integers(0, 30))])


def test_a_minute_of_a_steady_signal_takes_few_bytes() -> None:
    rng = np.random.default_rng(3)
    n = 86_400
    t = np.arange(n) * 1_000_000_000 + rng.integers(0, 4000, n) * 1000
    walk = np.clip(2048 + np.cumsum(rng.integers(-2, 3, n)), 0, 4095) * (5.0 / 4096)
    starts = np.arange(0, n, 60)
    records = summarised(t, walk.view(np.uint64), np.zeros(n, np.uint32), starts, 7, 0, 1_000_000_000)
    assert len(pack_table(records)) / len(starts) < 36

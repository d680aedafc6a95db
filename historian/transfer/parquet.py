"""Parquet files, as an export writes them and an import reads them; needs pyarrow.

Columns: `tag` (text, as a dictionary), `time` (timestamp, ns, UTC), `value` (float64; null for texts), `text`, `status`
(uint32, OPC UA StatusCode) and `bits` (uint64), set only where a 64-bit integer does not fit into `value`.

A Parquet file has its table of contents at the end and cannot be gone on with. So an export writes parts of a bounded
size beside the target, each whole in itself, and joins them when it is done.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from historian.store import Samples, TagEntry
from scada.datadir import flush_folder
from tags.types import FLOATS, STRING, UINT64

GROUP_ROWS: Final = 1_000_000
_EXACT: Final = 2**53
_OPTIONS: Final[dict[str, Any]] = {
    "compression": "zstd",
    # Differences of times: a thirtieth of what times take as they are.
    "column_encoding": {"time": "DELTA_BINARY_PACKED"},
    "use_dictionary": ["tag", "value", "text", "status"],
}

SCHEMA: Final = pa.schema(
    [
        ("tag", pa.dictionary(pa.int32(), pa.string())),
        ("time", pa.timestamp("ns", tz="UTC")),
        ("value", pa.float64()),
        ("text", pa.string()),
        ("status", pa.uint32()),
        ("bits", pa.uint64()),
    ]
)


def table_of(path: str, samples: Samples) -> pa.Table:
    """Samples of a tag as a table of `SCHEMA`."""
    n = len(samples)
    none = pa.nulls(n)
    value, bits = none.cast(pa.float64()), none.cast(pa.uint64())
    text = none.cast(pa.string())
    if samples.type == STRING:
        text = pa.array(samples.texts or (), pa.string())
    else:
        numbers, exact = _numbers(samples.type, samples.bits)
        value = pa.array(numbers)
        if not exact.all():
            bits = pa.array(samples.bits, mask=exact)
    tag = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([path]))
    time = pa.array(samples.t).cast(pa.timestamp("ns", tz="UTC"))
    return pa.Table.from_arrays([tag, time, value, text, pa.array(samples.status), bits], schema=SCHEMA)


def _numbers(
    type_: str, bits: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Values, and where they are exact."""
    if type_ in FLOATS:
        return bits.view(np.float64), np.ones(len(bits), bool)
    whole: npt.NDArray[Any] = bits if type_ == UINT64 else bits.view(np.int64)
    exact = whole <= _EXACT
    if type_ != UINT64:
        exact &= whole >= -_EXACT
    return whole.astype(np.float64), exact


class ParquetWriter:
    """See `historian.transfer.formats.Writer`.

    Args:
        target: The file that is to be.
        state: To go on from.
    """

    def __init__(self, target: Path, state: dict[str, Any] | None) -> None:
        self._folder = target.with_name(target.name + ".parts")
        self._parts = int(state["parts"]) if state else 0
        if not state:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(exist_ok=True)
        for path in self._folder.iterdir():
            if path.name not in {self._name(i).name for i in range(self._parts)}:
                path.unlink()
        self._tables: list[pa.Table] = []

    def write(self, tag: TagEntry, samples: Samples) -> None:
        """See `Writer`."""
        self._tables.append(table_of(tag.path, samples))

    def sync(self) -> dict[str, Any]:
        """See `Writer`. What was written since the last time becomes a part."""
        if self._tables:
            with pq.ParquetWriter(self._name(self._parts), SCHEMA, **_OPTIONS) as file:
                file.write_table(pa.concat_tables(self._tables, promote_options="none"), GROUP_ROWS)
            _sync(self._name(self._parts))
            flush_folder(self._folder)
            self._parts += 1
            self._tables = []
        return {"parts": self._parts}

    def finish(self, target: Path) -> int:
        """See `Writer`."""
        self.sync()
        whole = self._folder / "whole"
        names = [self._name(i) for i in range(self._parts)]
        if len(names) == 1:
            whole = names[0]
        else:
            with pq.ParquetWriter(whole, SCHEMA, **_OPTIONS) as file:
                for name in names:
                    with pq.ParquetFile(name) as part:
                        for i in range(part.num_row_groups):
                            file.write_table(part.read_row_group(i).cast(SCHEMA), GROUP_ROWS)
            _sync(whole)
        with pq.ParquetFile(whole) as file:
            counted = int(file.metadata.num_rows)
        whole.replace(target)
        shutil.rmtree(self._folder)
        return counted

    def close(self) -> None:
        """See `Writer`."""
        self._tables = []

    def _name(self, number: int) -> Path:
        return self._folder / f"{number:06d}.parquet"


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

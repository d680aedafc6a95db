"""Grids as tables of Arrow. pyarrow is imported when it is asked for: nothing else here needs it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def arrow_table(grid: npt.NDArray[np.void]) -> Any:
    """What `align` returned: `t` (timestamp, ns, UTC), then a float64 for each tag, null where there is no value.

    Returns:
        A `pyarrow.Table`.

    Raises:
        ImportError: pyarrow is not installed.
    """
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415 - optional

    columns = {"t": pa.array(grid["t"], pa.timestamp("ns", "UTC"))}
    for path in (grid.dtype.names or ())[1:]:
        columns[path] = pa.array(np.ascontiguousarray(grid[path]["value"]), from_pandas=True)  # NaN is null
    return pa.table(columns)

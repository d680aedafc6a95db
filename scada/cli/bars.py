"""Progress bars: on a terminal, and only there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from scada.cli.render import err


@contextlib.contextmanager
def bar(title: str, unit: str = "samples") -> Iterator[Callable[[float, int], None]]:
    """A bar on stderr while the block runs.

    Args:
        title: Left of the bar.
        unit: Of what is counted.

    Yields:
        To be told the share that is done, 0 … 1, and how many.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[count]:,} " + unit),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(title, total=1.0, count=0)
        yield lambda share, count: progress.update(task, completed=share, count=count)

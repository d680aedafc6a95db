"""Progress bars: on a terminal, and only there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

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
    with _progress(unit) as progress:
        task = progress.add_task(title, total=1.0, count=0)
        yield lambda share, count: progress.update(task, completed=share, count=count)


@contextlib.contextmanager
def steps(title: str, unit: str = "samples") -> Iterator[Callable[[str, float, int], None]]:
    """As `bar`, for work of several steps: a bar for each.

    Args:
        title: Left of the bars.
        unit: Of what is counted.

    Yields:
        To be told the step, the share of it that is done and how many.
    """
    with _progress(unit) as progress:
        tasks: dict[str, TaskID] = {}

        def tell(step: str, share: float, count: int) -> None:
            if step not in tasks:
                tasks[step] = progress.add_task(f"{title}: {step}", total=1.0, count=0)
            progress.update(tasks[step], completed=share, count=count)

        yield tell


def _progress(unit: str) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[count]:,} " + unit),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)

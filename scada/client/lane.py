"""Questions about history from an event loop: one worker thread that has a client of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from scada.client.client import Client

WAITING_MAX: Final = 16
T = TypeVar("T")


class BusyError(Exception):
    """Too many questions are waiting."""


class Lane:
    """Asks one question after the other, so that a long one never delays the event loop.

    Args:
        data: The data directory.
        source: As `Client` has it; also the name of the thread.
        waiting: How many questions may wait.
    """

    def __init__(self, data: Path, source: str, waiting: int = WAITING_MAX) -> None:
        self._data = data
        self._source = source
        self._most = waiting
        self._client: Client | None = None
        self._worker = ThreadPoolExecutor(1, f"{source} history")
        self._waiting = 0

    def close(self) -> None:
        """Ends the thread."""
        self._worker.shutdown(wait=True, cancel_futures=True)
        if self._client is not None:
            self._client.close()
            self._client = None

    async def ask(self, question: Callable[[Client], T]) -> T:
        """What the question returns in the worker thread; raises what it raises, or `BusyError`."""
        if self._waiting >= self._most:
            raise BusyError("the history is busy, try again in a moment")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._worker, self._answer, question)
        finally:
            self._waiting -= 1

    def _answer(self, question: Callable[[Client], T]) -> T:
        if self._client is None:
            self._client = Client(self._data, self._source)
        return question(self._client)

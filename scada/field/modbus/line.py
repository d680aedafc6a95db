"""RTU over bytes, whatever carries them: one request and its reply, silence, quarantine and barrier.

The standard ends a frame by silence (2.5.1.1). So a reply counts when the line was silent after it: what is doubled
or merged is seen as such and counts for nothing. After anything that does not fit, input is discarded until the line
was silent for as long as a reply may take.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

from scada.field.driver import CLOSED, MISMATCH, TIMEOUT, NoReplyError, RefusedError, WithdrawnError
from scada.field.modbus.late import Late
from scada.field.modbus.transport import one_by_one
from scada.field.modbus.why import why
from scada.modbus import rtu
from scada.modbus.wire import Ask

BARRIERS: Final = 3  # an exception to the first may need a second of another function
_CLOCK_S: Final = 1e-6  # times of an event loop are no finer
_STRAYS: Final = 1024
QUARANTINES: Final = 4  # a line that babbles for so many reply times is closed
NEVER_SILENT: Final = "the line is never silent"
GATEWAYS_OWN: Final = frozenset({10, 11})  # exceptions that come neither from the unit nor in its order


class Port(Protocol):
    """What carries the bytes: a serial port, or the transport of a TCP connection."""

    def write(self, data: bytes, /) -> None:
        """Sends; does not wait."""
        ...

    def close(self) -> None:
        """Ends it; `connection_lost` of the protocol follows, or not."""
        ...


Opener = Callable[["Exchange"], Awaitable[Port]]
"""Opens a port whose bytes go to the protocol; raises OSError when it cannot."""


class Exchange(asyncio.Protocol):
    """One request at a time and what comes back.

    Args:
        character_ns: Time of a character on the line; 0 where the bytes travel otherwise.
        silence_ns: Silence that ends a frame.

    Attributes:
        silence_s: Silence that ends a frame, s.
        strays: Bytes that answered nothing, since last looked at; the last of them, if there are many.
        lost: The port is gone.
    """

    def __init__(self, character_ns: int, silence_ns: int) -> None:
        self._character_s = character_ns / 1e9
        self.silence_s = silence_ns / 1e9
        self._loop = asyncio.get_running_loop()
        self._heard_s = self._loop.time()
        self._buffer = bytearray()
        self._ask: Ask | None = None
        self._reply: asyncio.Future[bytes | int] | None = None
        self._found: bytes | int = b""
        self._settling: asyncio.TimerHandle | None = None
        self.strays = b""
        self.lost = False

    def data_received(self, data: bytes) -> None:
        """Bytes of the line."""
        self._heard_s = self._loop.time()
        ask, reply = self._ask, self._reply
        if ask is None or reply is None or reply.done():
            self.strays = (self.strays + data)[-_STRAYS:]
            return
        self._buffer += data
        try:
            found = rtu.answer(ask, self._buffer)
        except rtu.MalformedError as error:
            self._settled()
            self.strays = bytes(self._buffer)
            reply.set_exception(NoReplyError(str(error), MISMATCH))
            return
        if found is not None:
            self._found = found
            self._settling = self._loop.call_later(self.silence_s, self._complete, reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """The port is gone: whoever waits learns it at once."""
        del exc
        self.lost = True
        self._settled()
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(NoReplyError("the line was lost", CLOSED))

    async def ask(self, port: Port, ask: Ask) -> bytes | int:
        """Sends a request when the line is silent and waits for its reply and the silence after it.

        Returns:
            The data of the right reply behind its function code, or the code of an exception.

        Raises:
            NoReplyError: As its kind says.
        """
        if not await self.silent(self.silence_s, ask.timeout_ns / 1e9):
            raise NoReplyError(NEVER_SILENT, MISMATCH)
        if self.lost:
            raise NoReplyError("the line was lost", CLOSED)
        frame = rtu.frame(ask.unit, ask.pdu.function, ask.pdu.data)
        self._buffer.clear()
        self._ask = ask
        reply: asyncio.Future[bytes | int] = self._loop.create_future()
        self._reply = reply
        # the time-out is the device's: what the line takes for both frames comes on top of it
        carried = len(frame) + (ask.pdu.reply_bytes or rtu.LONGEST) + rtu.OVERHEAD
        limit = ask.timeout_ns / 1e9 + carried * self._character_s + self.silence_s
        timer = self._loop.call_later(limit, _expire, reply)
        try:
            port.write(frame)
            return await reply
        finally:
            timer.cancel()
            self._settled()
            self._ask = self._reply = None

    async def silent(self, seconds: float, most: float) -> bool:
        """Waits until nothing came for so long.

        Args:
            seconds: How long.
            most: Give up after this many seconds.

        Returns:
            Whether the line is silent (or lost).
        """
        end = self._loop.time() + most
        while not self.lost:
            rest = self._heard_s + seconds - self._loop.time()
            if rest <= _CLOCK_S:
                return True
            if self._loop.time() >= end:
                return False
            await asyncio.sleep(rest)
        return True

    def _complete(self, reply: asyncio.Future[bytes | int]) -> None:
        if not reply.done():
            reply.set_result(self._found)

    def _settled(self) -> None:
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None


class Line:
    """A connection to units that talk RTU; implements `transport.Transport`.

    Attributes:
        reason: Why it could not be opened; "" when it could.

    Args:
        opener: Opens the port.
        exchange: Makes what talks on it.
        late: What may still come on this line; it outlives this connection.
        timeout_ns: How long a reply may take on it at most.
        keep: Keep the port open after a reply that did not come: it is a serial port, where closing ends nothing.
    """

    def __init__(
        self, opener: Opener, exchange: Callable[[], Exchange], late: Late, timeout_ns: int, *, keep: bool
    ) -> None:
        self._opener = opener
        self._make = exchange
        self._late = late
        self._timeout_ns = timeout_ns
        self._keep = keep
        self._exchange: Exchange | None = None
        self._port: Port | None = None
        self._loop = asyncio.get_running_loop()
        self.reason = ""

    @property
    def open(self) -> bool:
        """Whether requests may be sent."""
        return self._port is not None and self._exchange is not None and not self._exchange.lost

    async def connect(self) -> bool:
        """Opens the port once; False when that failed within the time-out.

        Where this is the first time, what an earlier life of the service has asked may be answered now: the line must
        be silent for as long as a reply may take.
        """
        exchange = self._make()
        try:
            async with asyncio.timeout(self._timeout_ns / 1e9):
                self._port = await self._opener(exchange)
        except TimeoutError:
            self.reason = "no connection in time"
            return False
        except OSError as error:
            self.reason = why(error)
            return False
        self._exchange = exchange
        if self._late.unknown:
            if not await exchange.silent(self._timeout_ns / 1e9, QUARANTINES * self._timeout_ns / 1e9):
                self.close()
                self.reason = NEVER_SILENT
                return False
            exchange.strays = b""
            self._late.unknown = False
        return self.open

    async def ask(self, ask: Ask) -> bytes:
        """Sends a request, after a barrier where a late reply could answer it.

        Raises:
            RefusedError: The device answered with an exception to this request.
            NoReplyError: Nothing right came; nothing that comes late will answer another request.
            WithdrawnError: It was taken back while the line was brought in order; it was not sent.
        """
        if hold := self._late.hold_ns(ask, self._now()):
            await asyncio.sleep(hold / 1e9)
        barriers = 0
        while (barrier := await self._barrier(ask)) is not None:
            barriers += 1
            if barriers > BARRIERS:
                raise NoReplyError("the line is not in order", MISMATCH)
            answer = await self._carry(barrier)
            if answer in GATEWAYS_OWN:
                self._late.missed(barrier, self._now())
                raise NoReplyError(
                    f"the gateway has no answer of unit {ask.unit} (exception {answer!r})", TIMEOUT
                )
            if not isinstance(answer, int) or self._late.refused(barrier, self._now()):
                self._late.answered(barrier, self._now())
        if ask.wanted is not None and not ask.wanted():
            raise WithdrawnError("taken back while the line was brought in order")
        answer = await self._carry(ask)
        if answer in GATEWAYS_OWN:
            self._late.missed(ask, self._now())
        else:
            self._late.answered(ask, self._now())
        if isinstance(answer, int):
            raise RefusedError(answer)
        return answer

    async def ask_all(self, asks: Sequence[Ask]) -> list[bytes | int]:
        """Asks one after the other: a line carries one request at a time."""
        return await one_by_one(self, asks)

    def close(self) -> None:
        """Closes the port."""
        port, self._port = self._port, None
        if port is not None:
            port.close()

    async def _barrier(self, ask: Ask) -> Ask | None:
        """What must be asked first, judged when the line is silent."""
        exchange = self._exchange
        if exchange is not None:
            await self._silent(exchange, exchange.silence_s, ask.timeout_ns)
            if exchange.strays:
                self._late.overheard(exchange.strays, self._now(), self._timeout_ns)
                exchange.strays = b""
                self._late.strayed(self._now())
        return self._late.barrier(ask, self._now())

    async def _carry(self, ask: Ask) -> bytes | int:
        exchange, port = self._exchange, self._port
        if exchange is None or port is None or exchange.lost:
            self.close()
            raise NoReplyError("not connected", CLOSED)
        try:
            return await exchange.ask(port, ask)
        except NoReplyError as error:
            self._late.missed(ask, self._now())
            if error.kind == MISMATCH:
                await self._quarantine(exchange, ask.timeout_ns)
            if error.kind == CLOSED or not self._keep:
                self.close()
            raise
        except BaseException:
            self._late.missed(ask, self._now())  # cancelled: its reply must answer nobody
            self.close()
            raise

    async def _quarantine(self, exchange: Exchange, timeout_ns: int) -> None:
        """Discards input until the line was silent for as long as a reply may take; a line that babbles is closed."""
        await self._silent(exchange, timeout_ns / 1e9, timeout_ns)
        self._late.overheard(exchange.strays, self._now(), self._timeout_ns)
        exchange.strays = b""

    async def _silent(self, exchange: Exchange, seconds: float, timeout_ns: int) -> None:
        """Waits for silence; a line that babbles is closed."""
        if not await exchange.silent(seconds, QUARANTINES * timeout_ns / 1e9):
            self.close()
            raise NoReplyError(NEVER_SILENT, MISMATCH)

    def _now(self) -> int:
        return round(self._loop.time() * 1e9)


def _expire(reply: asyncio.Future[Any]) -> None:
    if not reply.done():
        reply.set_exception(NoReplyError("no reply in time", TIMEOUT))

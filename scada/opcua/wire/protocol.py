"""One connection: its bytes in and out, and what it holds."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from asyncua.server.binary_server_asyncio import OPCUAProtocol

from scada.opcua import limits
from scada.opcua.wire.frames import FrameError, Frames
from scada.opcua.wire.processor import ChannelError, Processor
from scada.opcua.wire.room import Worth
from scada.users import place_of

if TYPE_CHECKING:
    from scada.opcua.wire.listener import Listener

ARRIVED_MAX: Final = 4 * limits.CHUNK  # bytes that wait for their turn before no more are read
UNREAD: Final = (256 * 1024, 1024 * 1024)  # bytes of answers: at the second it is congested, until the first
STALLED_S: Final = 10.0  # of a client that takes nothing
FAREWELL_S: Final = 5.0  # for what a connection that we end was still owed


class Protocol(OPCUAProtocol):
    """asyncua's, with bounds: it reads no more than it works off, and answers no one who does not read.

    Args:
        listener: Whose connection this is.

    Attributes:
        source: Address of the client, without the port.
        congested: More than `UNREAD` bytes of answers were not taken yet.
        since: When it was made, monotonic, s.
    """

    processor: Processor | None

    def __init__(self, listener: Listener) -> None:
        super().__init__(
            listener.iserver, listener.policies, listener.clients, listener.closing_tasks, listener.limits
        )
        self.listener = listener
        self.frames = Frames(limits.CHUNK)
        self.source = ""
        self.congested = False
        self.since = listener.now()
        self._arrived: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._more = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._congested_since = 0.0
        self._unread_before = 0
        self._ended = False
        self._ended_at = self.since
        self._lost = False

    # -- from asyncio -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """A connection: with room it stays, and somebody else may have to go for it."""
        self.peer_name = transport.get_extra_info("peername")
        self.source = place_of(str(self.peer_name[0] if self.peer_name else ""))
        if not self.listener.enter(self):
            transport.abort()
            return
        self.transport = transport
        transport.set_write_buffer_limits(high=UNREAD[1], low=UNREAD[0])
        self.processor = Processor(self.listener.iserver, transport, self)
        self.processor.set_policies(self.policies)
        self.iserver.asyncio_transports.append(transport)
        self.clients.append(self)
        self._task = asyncio.create_task(self._process_received_message_loop())

    def connection_lost(self, ex: BaseException | None) -> None:
        """It has ended, by whomever."""
        self._lost = self._ended = True
        self.listener.leave(self)
        self._drained.set()
        self._arrived.clear()
        if self.transport is not None:
            super().connection_lost(ex)

    def data_received(self, data: bytes) -> None:
        """Takes bytes from the network; the rest stays there while enough is waiting here."""
        if self._ended or self.transport is None:
            return
        try:
            found = self.frames.feed(data)
        except FrameError as error:
            self.end(error.status)
            return
        if found:
            self._arrived.extend(found)
            self._waiting_bytes += sum(map(len, found))
            self._more.set()
            if self._waiting_bytes > ARRIVED_MAX:
                self.transport.pause_reading()
        self._hold()

    def pause_writing(self) -> None:
        """The client does not take what it asked for."""
        self.congested = True
        self._congested_since = self.listener.now()
        self._unread_before = self.unread()
        self._drained.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self.congested = False
        self._drained.set()

    # -- its turn ---------------------------------------------------------------------------------------------------

    async def _process_received_message_loop(self) -> None:
        """One chunk after the other; after each the other connections have their turn."""
        assert self.processor is not None
        while not self._ended:
            if not self._arrived:
                self._more.clear()
                await self._more.wait()
                continue
            if self.congested:
                await self._drained.wait()
                continue
            frame = self._arrived.popleft()
            self._took(len(frame))
            try:
                if not await self.processor.take(frame):
                    self.end(0)
                    return
            except ChannelError as error:
                self.end(error.status)
                return
            if self._arrived:
                await asyncio.sleep(0)

    def _took(self, size: int) -> None:
        full = self._waiting_bytes > ARRIVED_MAX
        self._waiting_bytes -= size
        if full and self._waiting_bytes <= ARRIVED_MAX and self.transport is not None and not self._ended:
            self.transport.resume_reading()
        self._hold()

    def end(self, status: int) -> None:
        """Ends the connection, with an Error message unless `status` is 0."""
        if self._ended:
            return
        self._ended = True
        self._ended_at = self.listener.now()
        self._more.set()
        if status:
            self.listener.refused(status)
        if self.transport is not None:
            if status and self.processor is not None:
                self.processor.fail(status)
            self.transport.close()

    def abort(self) -> None:
        """Ends the connection at once, with what it has not taken."""
        self._ended = True
        self._more.set()
        self._drained.set()
        if self.transport is not None:
            self.transport.abort()

    # -- what it holds ----------------------------------------------------------------------------------------------

    def unread(self) -> int:
        """Bytes of answers that were not taken yet."""
        return 0 if self.transport is None else self.transport.get_write_buffer_size()

    def wrote(self) -> None:
        """An answer was written."""
        self._hold()

    def _hold(self) -> None:
        if self._lost:
            return
        collected = 0 if self.processor is None else self.processor.collected
        self.listener.hold(self, self.unread() + self._waiting_bytes + self.frames.held + collected)

    def prove(self, worth: Worth) -> None:
        """What this connection has proved."""
        self.listener.room.prove(self, worth)

    def know(self) -> None:
        """Somebody has signed in on it."""
        self.listener.room.know(self.source)

    @property
    def known(self) -> bool:
        """Somebody has signed in from this address before."""
        return self.listener.room.knows(self.source)

    def stalled(self, now: float) -> bool:
        """Whether the client has taken nothing for `STALLED_S`; asked now and then.

        Args:
            now: Monotonic, s.
        """
        self._hold()
        if self._ended:
            return now - self._ended_at > FAREWELL_S
        if not self.congested:
            return False
        unread = self.unread()
        if unread < self._unread_before:
            self._unread_before, self._congested_since = unread, now
        return now - self._congested_since > STALLED_S

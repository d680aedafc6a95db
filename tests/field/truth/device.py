"""The device behind the line: it carries requests out, knows what was true when, and misbehaves on demand."""

from __future__ import annotations

import hashlib
import random
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from tests.field.truth.framing import MBAP, RTU, Asked, Requests, mbap, rtu

MS = 1_000_000
_REMEMBERED = 256


class Pipe(Protocol):
    """The device's end of a connection."""

    def write(self, data: bytes, corrupted: Corruption | None = None) -> None:
        """Sends bytes; a corruption happens below TLS, where a cable would do it."""

    def close(self) -> None: ...

    def abort(self) -> None: ...


class Surroundings(Protocol):
    """Time as the device sees it."""

    def now_ns(self) -> int: ...

    def after(self, delay_ns: int, what: Callable[[], object]) -> None: ...


Corruption = Callable[[bytes], bytes]
Misbehaviour = Callable[["Device", Asked], None]


class Truth:
    """What was read and written when.

    A register never holds the same twice: its value follows from its unit, table and address and from the number of
    the request that read it, so that an old or a foreign value is always seen to be one.
    """

    def __init__(self) -> None:
        self._number = 0
        self._done: dict[tuple[int, bytes], deque[tuple[int, bytes]]] = {}

    def carry_out(self, unit: int, pdu: bytes, now_ns: int) -> bytes:
        """The PDU of the true reply, true now."""
        self._number += 1
        function = pdu[0]
        if function <= 4:
            count = int.from_bytes(pdu[3:5], "big")
            data = self._values(unit, pdu, count)
            reply = bytes((function, len(data))) + data
        elif function in (15, 16):
            reply = pdu[:5]
        else:
            reply = pdu
        self._done.setdefault((unit, pdu), deque(maxlen=_REMEMBERED)).append((now_ns, reply))
        return reply

    def verdict(self, unit: int, pdu: bytes, reply: bytes, first_ns: int, last_ns: int) -> str:
        """Whether a reply was the truth at some moment between two; "" when it was, else what is wrong with it."""
        for when, told in reversed(self._done.get((unit, pdu), ())):
            if told == reply:
                if when > last_ns:
                    continue
                if when >= first_ns:
                    return ""
                return f"{(first_ns - when) / MS:.1f} ms old when it was asked for"
        return f"never the truth of unit {unit}, {pdu.hex()}: {reply.hex()}"

    def _values(self, unit: int, pdu: bytes, count: int) -> bytes:
        bits = pdu[0] <= 2
        size = (count + 7) // 8 if bits else 2 * count
        what = struct.pack(">IB", self._number, unit) + pdu[:3]
        data = b""
        while len(data) < size:
            data += hashlib.blake2b(what + bytes((len(data),))).digest()
        data = data[:size]
        if bits and count % 8:
            data = data[:-1] + bytes((data[-1] & (1 << count % 8) - 1,))
        return data


class Device:
    """One endpoint with all its units.

    Args:
        line: `tcp`, `rtu+tcp`, `tls` or `rtu`.
        surroundings: Its time.
        dice: For everything that is by chance.
        misbehaviour: Decides what becomes of each request.
        timeout_ns: Of the driver that will ask.

    Attributes:
        dice: The same.
        asked: Number of requests that arrived.
        last: The last replies that were made, oldest first.
        memory: For misbehaviours that span several requests.
    """

    def __init__(
        self,
        line: str,
        surroundings: Surroundings,
        dice: random.Random,
        misbehaviour: Misbehaviour,
        timeout_ns: int,
    ) -> None:
        self.line = line
        self.framing = framing = RTU if line in ("rtu", "rtu+tcp") else MBAP
        self.dice = dice
        self.misbehaviour = misbehaviour
        self.timeout_ns = timeout_ns
        self.truth = Truth()
        self.asked = 0
        self.last: deque[bytes] = deque(maxlen=8)
        self.memory: dict[str, object] = {}
        self.deaf = False
        self._around = surroundings
        self._pipe: Pipe | None = None
        self._requests = Requests(framing)
        self._busy_ns = 0

    # -- the line -----------------------------------------------------------------------------------------------

    def connected(self, pipe: Pipe) -> None:
        """A connection was made; an older one is forgotten, as small devices do."""
        self._pipe = pipe
        self._requests = Requests(self.framing)

    def received(self, data: bytes, pipe: Pipe | None = None) -> None:
        """Bytes of the driver."""
        if self.deaf or (pipe is not None and pipe is not self._pipe):
            return
        for tid, unit, pdu in self._requests.feed(data):
            self.asked += 1
            self.misbehaviour(self, Asked(self.asked, self._around.now_ns(), tid, unit, pdu))

    def lost(self, pipe: Pipe) -> None:
        """The driver hung up."""
        if pipe is self._pipe:
            self._pipe = None

    # -- for misbehaviours --------------------------------------------------------------------------------------

    @property
    def mbap(self) -> bool:
        return self.framing == MBAP

    @property
    def rtu(self) -> bool:
        return self.framing == RTU

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def true(self, asked: Asked) -> bytes:
        """Carries the request out now: the PDU of the right reply."""
        return self.truth.carry_out(asked.unit, asked.pdu, self._around.now_ns())

    def foreign(self, asked: Asked) -> bytes:
        """The true reply to somebody else's request that looks the same: for replies that must never be believed."""
        pdu = asked.pdu[:1] + bytes((asked.pdu[1] ^ 0x40,)) + asked.pdu[2:]
        return self.truth.carry_out(asked.unit, pdu, self._around.now_ns())

    def frame(
        self,
        asked: Asked,
        pdu: bytes,
        *,
        tid: int | None = None,
        unit: int | None = None,
        protocol: int = 0,
        length: int | None = None,
    ) -> bytes:
        """A frame with its header or its check."""
        to = asked.unit if unit is None else unit
        if self.framing == RTU:
            return rtu(to, pdu)
        return mbap(asked.tid if tid is None else tid & 0xFFFF, to, pdu, protocol=protocol, length=length)

    def answer(self, asked: Asked) -> bytes:
        """The right frame; remembered among the last."""
        frame = self.frame(asked, self.true(asked))
        self.last.append(frame)
        return frame

    def send(self, data: bytes, after_ns: int = 0, *, roams: bool = False, at_once: bool = False) -> None:
        """Sends bytes, now or later.

        A serial line and what hangs on one keep their order. Over TCP a reply may overtake another.

        Args:
            data: Any bytes.
            after_ns: So long from now.
            roams: They find their way to a connection that was made meanwhile, as the late reply of a device behind
                a gateway does; without, they die with their connection.
            at_once: Their turn on a serial line has come.
        """
        pipe = self._pipe
        when = self._around.now_ns() + after_ns
        if self.framing == RTU and not at_once:
            when = self._busy_ns = max(when, self._busy_ns)
        delay = when - self._around.now_ns()

        def go() -> None:
            to = self._pipe if roams else pipe
            if to is not None and to is self._pipe:
                to.write(data)

        if delay <= 0:
            go()
        else:
            self._around.after(delay, go)

    def send_pieces(self, pieces: Sequence[tuple[bytes, int]]) -> None:
        """Sends bytes one after the other, each so long (ns) after the one before; nothing comes between."""
        pipe = self._pipe
        when = max(self._around.now_ns(), self._busy_ns)
        for data, gap_ns in pieces:
            when += gap_ns

            def go(data: bytes = data) -> None:
                if pipe is not None and pipe is self._pipe:
                    pipe.write(data)

            self._around.after(when - self._around.now_ns(), go)
        self._busy_ns = when

    def do(self, after_ns: int, asked: Asked) -> None:
        """Carries a request out later and answers then; on a serial line whoever asks meanwhile waits."""
        when = self._around.now_ns() + after_ns
        if self.framing == RTU:
            when = self._busy_ns = max(when, self._busy_ns)
        self._around.after(
            when - self._around.now_ns(), lambda: self.send(self.answer(asked), roams=True, at_once=True)
        )

    def send_corrupted(self, data: bytes, flips: int) -> None:
        """Sends bytes of which some bits arrive inverted.

        Args:
            data: A whole frame.
            flips: So many bits anywhere, at most 3; 0 for a burst of up to 16 in a row. A CRC-16 sees all of those.
        """
        dice = self.dice

        def corrupted(raw: bytes) -> bytes:
            bits = int.from_bytes(raw, "big")
            size = 8 * len(raw)
            if flips:
                for place in dice.sample(range(size), flips):
                    bits ^= 1 << place
            else:
                length = dice.randrange(2, 17)
                bits ^= (dice.getrandbits(length) | 1) << dice.randrange(size - length + 1)
            return bits.to_bytes(len(raw), "big")

        if self._pipe is not None:
            self._pipe.write(data, corrupted)

    def later(self, after_ns: int, what: Callable[[], object]) -> None:
        """Does something later."""
        self._around.after(after_ns, what)

    def hang_up(self, after_ns: int = 0, *, reset: bool = False) -> None:
        """Ends the connection, if this kind of line has such a thing."""
        pipe = self._pipe

        def go() -> None:
            if pipe is not None and pipe is self._pipe:
                (pipe.abort if reset else pipe.close)()

        if after_ns:
            self._around.after(after_ns, go)
        else:
            go()

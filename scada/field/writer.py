"""The writing half of one device: control's commands become orders, orders become writes, writes become events."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from scada.clock import Clock
from scada.field import commands
from scada.field.commands import Commands, Order, Output, Outputs
from scada.field.driver import NoReplyError, Quantiser, Reading, RefusedError, Session
from scada.field.samples import Samples
from tags import quality, types
from tags.image import ImageReader
from tags.model import Tag

Event = Callable[..., None]
JUST_NOW_NS: Final = 1_000_000
NOT_TOGETHER: Final = frozenset(
    {1, 2, 3, 4, commands.REFUSED}
)  # may be meant for one of several values, or their number


class Writer:
    """What is written to one device.

    Args:
        name: Of the device.
        tags: Its tags.
        session: The driver's working part, made with the same tags.
        samples: Where it is said what was acted on.
        clock: Monotonic time.
        event: Called as `event(kind, **fields)` for arming and writes.
        heard: Called whenever the device answered a write.
        look: Looks at the arming file and at control's commands; called right before anything is written.

    Attributes:
        unread: Positions of tags that were written and must be read back before anything is polled.
    """

    def __init__(
        self,
        name: str,
        tags: Sequence[Tag],
        session: Session,
        samples: Samples,
        clock: Clock,
        event: Event,
        heard: Callable[[], None],
        look: Callable[[], None],
    ) -> None:
        self._name = name
        self._tags = tags
        self._session = session
        self._samples = samples
        self._clock = clock
        self._event = event
        self._heard = heard
        self._look = look
        self._out = np.array([i for i, tag in enumerate(tags) if tag.owner is not None], np.intp)
        self._out_of = np.full(len(tags), -1, np.intp)
        self._out_of[self._out] = np.arange(len(self._out))
        self._quantise = session.quantiser([int(i) for i in self._out])
        self._digests: dict[int, str] = {}
        self._loss_digests: dict[int, str] = {}
        self.outputs = Outputs(_declared([tags[i] for i in self._out], self._quantise, self._loss_digests))
        self.outputs.restore(samples.aux[self._out])
        self._permit: Callable[[Callable[[], bool]], None] = getattr(session, "permit", lambda _: None)
        self._sending: Sequence[Order] = ()
        self._decided_ns = 0
        self._alone: set[int] = set()  # outputs that the device did not take in one request with others
        self.unread: list[int] = []
        self._texts = [int(i) for i in self._out if tags[i].type == types.STRING]

    @property
    def command_paths(self) -> list[str]:
        """Paths of the command tags of the outputs, in their order."""
        return [self._tags[i].command or "" for i in self._out]

    @property
    def armed(self) -> bool:
        """Whether the device may be written to."""
        return self.outputs.armed

    @property
    def next_ns(self) -> int:
        """`order` need not be asked before this monotonic time, ns."""
        return self.outputs.next_ns

    def arm(self, armed: bool, user: str, reason: str) -> bool:
        """Takes the word of the arming file, with who gave it and why; says whether it is news."""
        if armed == self.outputs.armed:
            return False
        self.outputs.arm(armed)
        state = "armed" if armed else "disarmed"
        self._event("service", device=self._name, state=state, user=user, reason=reason)
        return True

    def observe(self, image: ImageReader, rows: npt.NDArray[np.intp], alive: bool) -> None:
        """Takes control's commands from a snapshot.

        Args:
            image: Control's image, just read.
            rows: Row of each output's command, one or more.
            alive: Control's heartbeat moves.
        """
        bits = image.value[rows].copy()
        for position in self._texts:
            out = int(self._out_of[position])
            text = image.text(int(rows[out]))
            bits[out] = _digest(text)
            self._digests[int(bits[out])] = text
        if len(self._digests) > 4 * len(self._texts) + 16:
            kept = {int(bits[int(self._out_of[p])]) for p in self._texts}
            self._digests = {key: text for key, text in self._digests.items() if key in kept}
        quantised, cannot = self._quantise(bits)
        seen = Commands(
            bits=quantised,
            usable=commands.usable(image.status[rows]) & ~cannot,
            writable=~cannot,
            drive=(image.aux[rows] & 1).astype(np.bool_),
            deadline_ns=(image.aux[rows] >> np.uint64(1)).astype(np.int64),
            silent=(image.status[rows] >> 30) >= 2,  # control is dead, or has not said anything yet
            version=image.version[rows],
            publish_ns=image.publish_ns[rows],
        )
        now = self._clock.monotonic_ns()
        self.outputs.observe(seen, alive, now)
        self._samples.acted(self._out, self.outputs.aux, now)

    def link(self, linked: bool) -> None:
        """The link came up or went down."""
        self.outputs.link(linked)
        self.unread.clear()
        if linked:
            self._alone.clear()

    def orders(self, now_ns: int) -> list[Order]:
        """The most urgent write that is due, with those that go in one request with it; empty when none is due."""
        orders = self.outputs.due(now_ns)
        if orders:  # what was decided on an older word may have been taken back: this process may have slept
            self._look()
            orders = self.outputs.due(now_ns)
            self._decided_ns = self._clock.monotonic_ns()
        self._samples.acted(self._out, self.outputs.aux, now_ns)
        if len(orders) < 2 or orders[0].index in self._alone:
            return orders[:1]
        # a stop waits for nothing, and is refused for nothing that stands beside it
        stop = self.outputs.outputs[orders[0].index].stop
        orders = [
            o for o in orders if o.index not in self._alone and self.outputs.outputs[o.index].stop == stop
        ]
        return [orders[i] for i in self._session.together([int(self._out[o.index]) for o in orders])]

    async def write(self, orders: Sequence[Order]) -> None:
        """Does one write; what it wrote is `unread` then.

        Outputs that the device refuses to take in one request stay due, and are written each alone from then on.

        Args:
            orders: What `orders` gave.

        Raises:
            NoReplyError: Whether the device acted is unknown.
            WithdrawnError: They were taken back while they waited for their turn; nothing was sent.
        """
        result = commands.OK
        self._sending = orders
        self._permit(self._wanted)
        try:
            values = [(int(self._out[o.index]), o.bits, self._text(o)) for o in orders]
            if len(values) == 1:
                await self._session.write(*values[0])
            else:
                await self._session.write_together(values)
            self._heard()
        except RefusedError as error:
            result = error.code
        except ValueError:
            result = commands.REFUSED
        except NoReplyError:
            for order in orders:
                self._written(order, commands.UNKNOWN)
            raise
        if result in NOT_TOGETHER and len(orders) > 1:
            self._alone.update(order.index for order in orders)
            return
        for order in orders:
            self._written(order, result)
        self.unread += [int(self._out[order.index]) for order in orders]

    def _wanted(self) -> bool:
        """Whether what is about to be sent is still to be written: it may have waited long for its turn."""
        now = self._clock.monotonic_ns()
        if now - self._decided_ns < JUST_NOW_NS:
            return True
        self._look()
        due = {order.index: order for order in self.outputs.due(now)}
        return all(self._as_good(order, due.get(order.index)) for order in self._sending)

    def _as_good(self, order: Order, now: Order | None) -> bool:
        """Whether an order stands as it is now. A quantity that moves all the time would never come through otherwise."""
        if now is None or now.reason != order.reason:
            return False
        output = self.outputs.outputs[order.index]
        return now.bits == order.bits or (output.analogue and output.mode == commands.MAINTAINED)

    def _text(self, order: Order) -> str:
        if self._tags[int(self._out[order.index])].type != types.STRING:
            return ""
        return self._digests.get(order.bits, self._loss_digests.get(order.bits, ""))

    def take(self, reading: Reading) -> Reading:
        """Shows the outputs in a reading to the state machine.

        Returns:
            What to publish: an output that was changed while the link was broken is Uncertain until control has let go
            of it; from then on control starts from what it reads.
        """
        outs = self._out_of[reading.members]
        mine = np.flatnonzero(outs >= 0)
        if not len(mine):
            return reading
        bits = reading.bits[mine].copy()
        for n, position in enumerate(reading.members[mine]):
            if self._tags[position].type == types.STRING:
                bits[n] = _digest(reading.texts.get(int(position), ""))
        before = self.outputs.waiting
        self.outputs.read_back(outs[mine], bits, quality.good_mask(reading.status[mine]))
        waiting = self.outputs.waiting
        for i in np.flatnonzero(waiting & ~before):
            path = self._tags[int(self._out[i])].path
            self._event("service", device=self._name, state="changed meanwhile", path=path)
        doubtful = mine[waiting[outs[mine]]]
        if not len(doubtful):
            return reading
        status = reading.status.copy()
        status[doubtful] = np.maximum(status[doubtful], quality.UNCERTAIN_LAST_USABLE)
        return replace(reading, status=status)

    def _written(self, order: Order, result: int) -> None:
        tag = self._tags[int(self._out[order.index])]
        now = self._clock.monotonic_ns()
        self.outputs.written(order, result, now)
        self._samples.acted(self._out, self.outputs.aux, now)
        steady = self.outputs.outputs[order.index].mode in (commands.MAINTAINED, commands.REFRESH)
        if result == commands.OK and steady and tag.type in types.FLOATS and order.reason == "command":
            return  # a controller's output moves all the time; its history says it all
        value = self._text(order) if tag.type == types.STRING else types.from_bits(tag.type, order.bits)
        self._event(
            "write",
            device=self._name,
            path=tag.path,
            value=value,
            result=result,
            reason=order.reason,
            version=order.version,
        )


def _digest(text: str) -> int:
    """A number that stands for a text in comparisons."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _declared(tags: Sequence[Tag], quantise: Quantiser, texts: dict[int, str]) -> list[Output]:
    """The outputs as `commands` wants them; notes in `texts` what the numbers of texts stand for."""
    loss = np.zeros(len(tags), np.uint64)
    outputs = []
    for i, tag in enumerate(tags):
        write, on_loss = tag.write, tag.on_loss
        value = on_loss.value if on_loss is not None else None
        if isinstance(value, str):
            loss[i] = _digest(value)
            texts[int(loss[i])] = value
        elif value is not None:
            loss[i] = types.to_bits(tag.type, types.coerce(tag.type, value))
        mode = write.mode if write is not None else commands.MAINTAINED
        outputs.append(
            Output(
                type=tag.type,
                mode=commands.SHARED if tag.owner == "shared" else mode,
                time_ns=write.time_ns if write else 0,
                min_interval_ns=write.min_interval_ns if write else 0,
                deadband=write.deadband if write else 0.0,
                tolerance=write.tolerance if write else 0.0,
                analogue=not tag.states,
                ends=tag.limits or tag.range,
                stop=write.stop if write else False,
                on_loss=on_loss.action if on_loss else "release",
                loss_delay_ns=on_loss.delay_ns if on_loss else 0,
            )
        )
    quantised, _ = quantise(loss)
    return [replace(output, loss_bits=int(bits)) for output, bits in zip(outputs, quantised, strict=True)]

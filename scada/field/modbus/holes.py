"""Which requests a device takes, learned from what it refuses: pure.

A device refuses a whole block for one address in it that it does not have (exception 2 or 3). The block is halved, poll by
poll, until what is refused is one value, a hole, or until two parts are taken that were refused as one: then the device
wants them apart. The rest of the block is put together again around what was found. So one bad address costs its own tag.

Holes are asked rarely, a few at a time: what heals is found again, and what does not costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from scada.field.modbus.address import Address
from scada.field.modbus.plan import Barrier, Request, halves, joined

RETRY_FIRST_NS: Final = 60_000_000_000
RETRY_MOST_NS: Final = 600_000_000_000
AT_ONCE: Final = 4  # holes that are asked in one poll
MANY: Final = 64  # the same while all of them turn out to be none


@dataclass(slots=True, eq=False)
class _Block:
    """A request of the plan, and what was learned of it.

    Attributes:
        planned: The request.
        barriers: What no request may touch or cross.
        holes: Requests of one value that are refused.
        searched: Parts of it were refused, and it is not known yet why.
    """

    planned: Request
    barriers: list[Barrier] = field(default_factory=list)
    holes: list[Request] = field(default_factory=list)
    searched: bool = False


@dataclass(slots=True, eq=False)
class _Piece:
    """What is asked of a block.

    Attributes:
        request: The request.
        block: Whose.
        taken: The device has answered it.
        sibling: The other half of what was refused as one.
    """

    request: Request
    block: _Block
    taken: bool = False
    sibling: _Piece | None = None


class Layout:
    """The requests of one scan group, as far as the device is known to take them.

    Args:
        addresses: Of the device.
        planned: Requests as planned.
        limits: Addresses in one request at most, by table.

    Attributes:
        requests: Those of each poll, then one for each hole.
        polled: How many of them are of each poll.
    """

    def __init__(
        self, addresses: Sequence[Address], planned: Sequence[Request], limits: Mapping[str, int]
    ) -> None:
        self._addresses = addresses
        self._limits = limits
        self._blocks = [_Block(request) for request in planned]
        self._pieces = [_Piece(block.planned, block) for block in self._blocks]
        self._wait_ns = RETRY_FIRST_NS
        self._retry_ns = 0
        self._many = AT_ONCE
        self._next = 0  # hole to ask next
        self._searching = self._silent = False
        self._holes: list[tuple[Request, _Block]] = []
        self.requests = tuple(planned)
        self.polled = len(planned)

    def probes(self, now_ns: int) -> range:
        """Positions in `requests` of the holes to ask in the poll that begins now; one where there is nothing else."""
        first, many = self.polled + self._next, self._many
        if now_ns < self._retry_ns:
            many = 0 if self.polled else 1
        return range(first, min(first + many, len(self.requests)))

    def learn(self, refused: Sequence[bool], probed: range, now_ns: int) -> bool:
        """Takes what became of one poll.

        Args:
            refused: For each of `requests`: the device refused it for its addresses when it was asked last.
            probed: Holes that were asked.
            now_ns: Monotonic, ns.

        Returns:
            Whether `requests` are others now.
        """
        if not self._holes and not self._searching and True not in refused:
            return False  # as nearly always
        healed = [n for n in probed if not refused[n]]
        if probed:
            self._many = min(4 * self._many, MANY) if len(healed) == len(probed) else AT_ONCE
            self._ask_later(probed, now_ns, again=bool(healed))
        if not healed and not self._searching and not any(refused[: self.polled]):
            return False
        silent = all(refused[: self.polled])
        begins = self._silent and not silent and bool(self._holes)
        self._silent = silent
        rejoin = self._heal(healed)
        known = len(self._holes) - len(healed)
        self._search(refused)
        rejoin += [block for block in self._blocks if block.searched and block not in rejoin]
        busy = {id(piece.block) for piece in self._pieces if piece.block.searched and not piece.taken}
        done = {id(block) for block in rejoin if id(block) not in busy}
        pieces = [piece for piece in self._pieces if id(piece.block) not in done]
        for block in rejoin:
            if id(block) in done:
                block.searched = False
                lost = {i for hole in block.holes for i in hole.members}
                rest = [i for i in block.planned.members if i not in lost]
                limit = self._limits[block.planned.table]
                pieces += [_Piece(r, block) for r in joined(rest, self._addresses, limit, block.barriers)]
        order = {id(block): n for n, block in enumerate(self._blocks)}
        self._pieces = sorted(pieces, key=lambda piece: (order[id(piece.block)], piece.request.start))
        self._holes = [(hole, block) for block in self._blocks for hole in block.holes]
        self._next = 0
        self._searching = any(block.searched for block in self._blocks)
        self.requests = (*(p.request for p in self._pieces), *(hole for hole, _ in self._holes))
        self.polled = len(self._pieces)
        if begins:  # what was taken for holes while it refused everything may be none
            self._retry_ns = now_ns
        elif len(self._holes) > known:
            self._retry_ns = max(self._retry_ns, now_ns + RETRY_FIRST_NS)
        return True

    def _ask_later(self, probed: range, now_ns: int, *, again: bool) -> None:
        """After the last hole was asked all of them rest, longer each time; when one has healed the others are asked."""
        self._next = (probed.stop - self.polled) % len(self._holes)
        if again:
            self._wait_ns, self._retry_ns = RETRY_FIRST_NS, now_ns
        elif self._next == 0 and now_ns >= self._retry_ns:
            self._wait_ns = min(2 * self._wait_ns, RETRY_MOST_NS)
            self._retry_ns = now_ns + self._wait_ns

    def _heal(self, positions: Sequence[int]) -> list[_Block]:
        """Forgets holes that are none any more; returns their blocks."""
        blocks: list[_Block] = []
        for n in positions:
            hole, block = self._holes[n - self.polled]
            block.holes.remove(hole)
            block.barriers.remove((hole.start, hole.start + hole.count))
            if block not in blocks:
                blocks.append(block)
        return blocks

    def _search(self, refused: Sequence[bool]) -> None:
        """Halves what is refused, and draws conclusions from what is taken.

        Where nothing at all is taken, the device may be starting: then one request is halved, and the rest waits.
        """
        pieces: list[_Piece] = []
        halved = 0
        for piece, no in zip(self._pieces, refused, strict=False):
            block, request = piece.block, piece.request
            if not no:
                piece.taken = True
                pieces.append(piece)
                other = piece.sibling
                if other is not None and other.taken and block.searched:
                    left, right = sorted((request, other.request), key=lambda r: r.start)
                    block.barriers.append((left.start + left.count, right.start))
                    piece.sibling = other.sibling = None
                continue
            block.searched = True
            parts = halves(request, self._addresses)
            if len(parts) == 1:
                block.holes.append(request)
                block.barriers.append((request.start, request.start + request.count))
                continue
            halved += 1
            if self._silent and halved > 1:
                pieces.append(piece)
                continue
            two = [_Piece(part, block) for part in parts]
            two[0].sibling, two[1].sibling = two[1], two[0]
            pieces += two
        self._pieces = pieces

"""When shelves end: by control's own time, which no clock step moves."""

from __future__ import annotations

from typing import Any, Final

# UTC that moved by more against control's own time was set: the ends are told anew.
STEP_NS: Final = 1_000_000_000
_NEVER: Final = 1 << 62


class Shelves:
    """The ends of all shelves.

    Attributes:
        ends: By position of the alarm: when it ends, ns UTC and in control's own time.
        elapsed_ns: Control's own time.
        next_ns: In control's own time: no shelf ends before.
        apart_ns: How far UTC and control's own time were apart when all of them were last looked at.
    """

    def __init__(self) -> None:
        self.ends: dict[int, tuple[int, int]] = {}
        self.elapsed_ns = self.next_ns = self.apart_ns = 0

    def put(self, i: int, utc_ns: int, left_ns: int) -> int:
        """Begins a shelf, or begins one anew.

        Args:
            i: Position of the alarm.
            utc_ns: Now, ns UTC.
            left_ns: It lasts, ns.

        Returns:
            When it ends, ns UTC.
        """
        until_ns = utc_ns + left_ns
        self.keep(i, until_ns, self.elapsed_ns + left_ns)
        return until_ns

    def keep(self, i: int, until_ns: int, ends_ns: int) -> None:
        """Keeps when a shelf ends, ns UTC and in control's own time."""
        self.ends[i] = (until_ns, ends_ns)
        self.next_ns = min(self.next_ns, ends_ns)

    def pass_(self, dt_ns: int, utc_ns: int) -> tuple[list[int], list[tuple[int, int]]]:
        """Lets time pass.

        Args:
            dt_ns: Since the last time, ns.
            utc_ns: Now, ns UTC.

        Returns:
            Positions of the alarms whose shelf is over, and (position, end in ns UTC) of those whose end must be told
            anew, as the clock was set; both rising.
        """
        self.elapsed_ns += dt_ns
        apart_ns = utc_ns - self.elapsed_ns
        if not self.ends or (
            self.elapsed_ns < self.next_ns and abs(apart_ns - self.apart_ns) <= STEP_NS // 2
        ):
            return [], []
        self.apart_ns = apart_ns
        over, moved = [], []
        for i in sorted(self.ends):
            until_ns, ends_ns = self.ends[i]
            now_ns = utc_ns + ends_ns - self.elapsed_ns
            if ends_ns <= self.elapsed_ns:
                over.append(i)
                del self.ends[i]
            elif abs(now_ns - until_ns) > STEP_NS:
                self.ends[i] = (now_ns, ends_ns)
                moved.append((i, now_ns))
        self.next_ns = min((ends_ns for _, ends_ns in self.ends.values()), default=_NEVER)
        return over, moved

    def left(self, i: int) -> tuple[int, int]:
        """When a shelf ends, ns UTC, and what is left of it, ns."""
        until_ns, ends_ns = self.ends[i]
        return until_ns, ends_ns - self.elapsed_ns

    def restore(self, i: int, kept: Any, utc_ns: int, most_ns: int) -> bool:
        """Takes back what `left` gave; whatever was done to the clock meanwhile, it lasts no longer than it had left.

        The first `pass_` tells when it ends now, if that is another time than what was told.

        Args:
            i: Position of the alarm.
            kept: From `left`, as JSON brought it back.
            utc_ns: Now, ns UTC.
            most_ns: No longer than this, ns.

        Returns:
            False when it is none.
        """
        if not (isinstance(kept, list | tuple) and len(kept) == 2 and all(type(one) is int for one in kept)):
            return False
        left_ns = max(0, min(kept[0] - utc_ns, kept[1], most_ns))
        self.keep(i, kept[0], self.elapsed_ns + left_ns)
        self.next_ns = self.elapsed_ns
        return True

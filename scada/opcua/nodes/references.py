"""References of a folder with thousands of tags: each is made when it is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, overload

from asyncua import ua

Find = Callable[[ua.QualifiedName], ua.ReferenceDescription | None]


class ManyReferences(Sequence[ua.ReferenceDescription]):
    """As asyncua's list of references, but made one by one.

    Args:
        first: Those that are there.
        count: How many are made.
        make: Makes one by its number.
        find: The one of `make` whose target has a BrowseName, without making the others.
    """

    def __init__(
        self,
        first: Iterable[ua.ReferenceDescription],
        count: int,
        make: Callable[[int], ua.ReferenceDescription],
        find: Find,
    ) -> None:
        self._first = list(first)
        self._count = count
        self._make = make
        self._find = find

    def __len__(self) -> int:
        return len(self._first) + self._count

    @overload
    def __getitem__(self, at: int) -> ua.ReferenceDescription: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[ua.ReferenceDescription]: ...
    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        i = range(len(self))[at]
        return self._first[i] if i < len(self._first) else self._make(i - len(self._first))

    def __iter__(self) -> Iterator[ua.ReferenceDescription]:
        yield from self._first
        yield from map(self._make, range(self._count))

    def extend(self, more: Iterable[ua.ReferenceDescription]) -> None:
        """Adds ordinary ones."""
        self._first.extend(more)

    def append(self, one: ua.ReferenceDescription) -> None:
        """Adds an ordinary one."""
        self._first.append(one)

    def named(self, name: ua.QualifiedName) -> list[ua.ReferenceDescription]:
        """Those whose target has this BrowseName."""
        found = [one for one in self._first if one.BrowseName == name]
        made = self._find(name)
        return found if made is None else [*found, made]

"""Arrays: one entry that makes several tags, `<path>/1` and so on, one behind the other in their device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tags.site import fields, models
from tags.site.templates import Entry


@dataclass(frozen=True, slots=True)
class Element:
    """One tag of an entry.

    Attributes:
        path: Of the tag.
        index: As written in the path; None where the entry is no array.
        number: From 0.
        step: Addresses from one element to the next; 0 for one directly behind the other.
    """

    path: str
    index: int | None = None
    number: int = 0
    step: int = 0

    def name(self, description: str) -> str:
        """The entry's description as that of the element."""
        return description if self.index is None or not description else f"{description} {self.index}"

    def was(self, path: str | None) -> str | None:
        """The element's earlier path."""
        return path if self.index is None or path is None else f"{path}/{self.index}"


def elements(path: str, model: models.Tag) -> Iterator[Element]:
    """The tags that an entry makes; one of its own path where it is no array."""
    if model.array is None:
        yield Element(path)
        return
    for number, index in enumerate(range(model.array.first, model.array.last + 1)):
        yield Element(f"{path}/{index}", index, number, model.step or 0)


def paths_of(entry: Entry) -> list[str]:
    """Paths of the tags of an entry that may be wrong."""
    try:
        first, last = fields.bounds(entry.data.get("array"))
    except ValueError:
        return [entry.path]
    return [f"{entry.path}/{index}" for index in range(first, last + 1)]

"""Where a piece of plain data came from: one node, or a template with what overrides it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import yaml

from tags.site.document import Document, find
from tags.site.problems import Place

Loc = Sequence[str | int]


class Source(Protocol):
    """Knows the place of everything in one piece of data."""

    def place(self, loc: Loc = (), *, key: bool = False) -> Place:
        """The place of a value, or of its key; as near as it can be found."""
        ...


@dataclass(frozen=True, slots=True)
class NodeSource:
    """Data that stands in one place of one file.

    Attributes:
        document: The file.
        node: The value's node.
        key: Its key's node, where problems of the whole are shown; None for the node itself.
        prefix: Keys that the data's own keys stand below.
    """

    document: Document
    node: Any
    key: Any = None
    prefix: tuple[str, ...] = ()

    def place(self, loc: Loc = (), *, key: bool = False) -> Place:
        """See `Source`."""
        return self.look(loc, key=key)[0]

    def look(self, loc: Loc, *, key: bool = False) -> tuple[Place, int, Any]:
        """Place, how many of the steps could be taken, and the node there."""
        full = (*self.prefix, *loc)
        node, steps = find(self.node, full, key=key)
        taken = max(0, steps - len(self.prefix))
        if steps == 0 and self.key is not None:
            return self.document.place(self.key), taken, node
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and steps:
            named, _ = find(
                self.node, full[:steps], key=True
            )  # a block begins at its key, not at its first line
            return self.document.place(named), taken, node
        return self.document.place(node), taken, node


@dataclass(frozen=True, slots=True)
class TemplateSource:
    """Data made from a template.

    Attributes:
        own: The entry that uses the template; its overrides come first. The keys of the data stand directly below.
        template: The template's part.
        given: Node of each parameter given by `with`, by name.
    """

    own: NodeSource
    template: NodeSource
    given: Mapping[str, Any] = field(default_factory=dict)

    def place(self, loc: Loc = (), *, key: bool = False) -> Place:
        """See `Source`."""
        if not loc:
            return self.own.place()
        own_place, own_steps, _ = self.own.look(loc, key=key)
        if own_steps == len(loc):
            return own_place
        place, steps, node = self.template.look(loc, key=key)
        if not key and isinstance(node, yaml.ScalarNode) and node.value.startswith("$"):
            given = self.given.get(node.value[1:])
            if given is not None:
                return self.own.document.place(given)
        if steps > own_steps:
            return place
        return own_place if own_steps else self.own.place()

"""Which equipment a site has: units of its templates and blocks of its program, with their types.

A template makes a type, a block makes a type; the type of a template whose units all have the same kind of block is a
subtype of that block's. Equipment is the folder of its tags; where a tag has the path itself (a total, a contact) the
object stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from scada.opcua.equipment import methods
from scada.opcua.equipment.methods import Method
from tags.model import Block, Site, Tag, Unit

BASE: Final = "#equipment"
"""Identifier of the type that all types of equipment come from; '#' is in no path."""
BESIDE: Final = "#unit"


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of equipment.

    Attributes:
        id: Identifier of its NodeId: `#type/<template>` or `#block/<block type>`.
        name: BrowseName, for example `ControlValveType`.
        description: For people.
        above: Identifier of its supertype.
        members: A tag that shows what each member is, by name.
        everywhere: Names of members and methods that each of its equipment has.
        methods: By name, of one that has it.
    """

    id: str
    name: str
    description: str
    above: str
    members: dict[str, Tag] = field(default_factory=dict)
    everywhere: frozenset[str] = frozenset()
    methods: dict[str, Method] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of equipment.

    Attributes:
        path: Of its unit or block.
        id: Identifier of its NodeId: the path, or `<path>#unit` where a tag has the path.
        kind: Identifier of its type.
        description: For people.
        members: Tag path by name, of tags right below it.
        links: Paths of tags elsewhere that it works with.
        methods: By name.
    """

    path: str
    id: str
    kind: str
    description: str
    members: dict[str, str]
    links: tuple[str, ...]
    methods: dict[str, Method]

    @property
    def beside(self) -> bool:
        """A tag has its path, so that it is an object of its own."""
        return self.id != self.path


class Equipment:
    """All equipment of a site.

    Args:
        site: The compiled site.
        tags: Its tags by path, where somebody has them already.

    Attributes:
        items: By identifier, in order of path.
        kinds: By identifier, supertypes first.
        tags: All tags by path.
    """

    def __init__(self, site: Site, tags: Mapping[str, Tag] | None = None) -> None:
        self.tags: Mapping[str, Tag] = site.by_path() if tags is None else tags
        self.kinds: dict[str, Kind] = {}
        self.items: dict[str, Item] = {}
        folders = _folders(self.tags) - self.tags.keys()
        units = {unit.path: unit for unit in site.units}
        blocks = {block.path: block for block in site.blocks}
        made: list[tuple[Item, Unit | None, Block | None]] = []
        for path in sorted(units.keys() | blocks.keys()):
            item = self._item(path, units.get(path), blocks.get(path))
            if path in folders or (item.beside and item.methods):
                made.append((item, units.get(path), blocks.get(path)))
        self._block_kinds([(item, block) for item, _, block in made if block is not None])
        self._template_kinds([(item, unit, block) for item, unit, block in made if unit is not None])
        self.items = {item.id: item for item, _, _ in made}
        self._members = {
            path for item in self.items.values() if not item.beside for path in item.members.values()
        }

    def type_of(self, path: str) -> str | None:
        """Identifier of the type of the equipment that a folder is; None for a plain folder."""
        found = self.items.get(path)
        return None if found is None else found.kind

    def is_member(self, path: str) -> bool:
        """Whether a tag is a component of the equipment that it lies right below."""
        return path in self._members

    def lineage(self, kind: str) -> list[Kind]:
        """A type and its supertypes, as far as they are ours."""
        found = []
        while kind in self.kinds:
            found.append(self.kinds[kind])
            kind = self.kinds[kind].above
        return found

    def _item(self, path: str, unit: Unit | None, block: Block | None) -> Item:
        points = block.points if block is not None else {}
        named = {**(unit.tags if unit is not None else {}), **points}
        members = {name: tag for name, tag in named.items() if tag == f"{path}/{name}" and tag in self.tags}
        if block is not None:
            found = methods.of_block(block, self.tags)
        else:
            found = methods.of_tags(members, self.tags)
        kind = (
            f"#type/{unit.template}"
            if unit is not None
            else f"#block/{block.type}"
            if block is not None
            else BASE
        )
        about = (
            unit.description
            if unit is not None
            else str(block.config.get("description", ""))
            if block
            else ""
        )
        return Item(
            path=path,
            id=f"{path}{BESIDE}" if path in self.tags else path,
            kind=kind,
            description=about,
            members=members,
            links=tuple(_links(path, block, self.tags)),
            methods={method.name: method for method in found},
        )

    def _block_kinds(self, made: Iterable[tuple[Item, Block]]) -> None:
        for type_ in sorted({block.type for _, block in made}):
            of_type = [(item, block) for item, block in made if block.type == type_]
            known = [item.members.keys() & block.points.keys() for item, block in of_type]
            self._kind(
                f"#block/{type_}", f"{_camel(type_)}BlockType", f"Block {type_} of the control program", BASE,
                [(item, names | item.methods.keys()) for (item, _), names in zip(of_type, known, strict=True)],
            )  # fmt: skip

    def _template_kinds(self, made: Iterable[tuple[Item, Unit, Block | None]]) -> None:
        for name in sorted({unit.template for _, unit, _ in made}):
            units = [(item, unit, block) for item, unit, block in made if unit.template == name]
            types = {block.type if block is not None else "" for _, _, block in units}
            above = f"#block/{types.pop()}" if len(types) == 1 and "" not in types else BASE
            inherited = self.kinds.get(above)
            taken = set() if inherited is None else inherited.members.keys() | inherited.methods.keys()
            self._kind(
                f"#type/{name}", f"{_camel(name)}Type", f"Template {name} of the site", above,
                [(item, (item.members.keys() | item.methods.keys()) - taken) for item, _, _ in units],
            )  # fmt: skip

    def _kind(
        self, id_: str, name: str, description: str, above: str, made: list[tuple[Item, set[str]]]
    ) -> None:
        members: dict[str, Tag] = {}
        found: dict[str, Method] = {}
        for item, names in made:
            members.update({key: self.tags[path] for key, path in item.members.items() if key in names})
            found.update({key: method for key, method in item.methods.items() if key in names})
        self.kinds[id_] = Kind(
            id=id_,
            name=name,
            description=description,
            above=above,
            members=members,
            everywhere=frozenset.intersection(*(frozenset(names) for _, names in made)),
            methods=found,
        )


def _folders(paths: Iterable[str]) -> set[str]:
    """All folders that paths lie in."""
    found: set[str] = set()
    for path in paths:
        above = path.rpartition("/")[0]
        while above and above not in found:
            found.add(above)
            above = above.rpartition("/")[0]
    return found


def _links(path: str, block: Block | None, tags: Mapping[str, Tag]) -> Iterable[str]:
    """Tags that a block names in its settings and that do not lie below it."""
    if block is None:
        return
    seen: set[str] = set()
    for value in (*block.config.values(), *block.points.values()):
        for text in value if isinstance(value, list | tuple) else (value,):
            if (
                isinstance(text, str)
                and text in tags
                and not text.startswith(f"{path}/")
                and text not in seen
            ):
                seen.add(text)
                yield text


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.replace("-", "_").split("_"))

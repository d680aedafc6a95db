"""One YAML file: plain data, and the place of everything in it.

libyaml composes nodes with marks; scalars are resolved here by the YAML 1.2 core schema, so that `on`, `no` and
`18:00` stay texts. Anchors, aliases, merge keys and explicit tags are refused: templates do that work, and a file
can then not grow beyond what is written in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from tags.site.problems import Place, Problems

FILE_BYTES_MAX: Final = 16 * 1024 * 1024
DEPTH_MAX: Final = 20
NUMBER_LENGTH_MAX: Final = 40

_PLAIN, _QUOTED, _COLLECTION = "plain", "quoted", "collection"
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+)")
_WORDS: Final[dict[str, Any]] = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
    "null": None,
    "Null": None,
    "NULL": None,
    "~": None,
    "": None,
}
_NUMERIC_START: Final = frozenset("0123456789+-.")


class _Loader(CParser):
    """libyaml's composer; says only whether a scalar was plain, which is all that we need."""

    def resolve(self, kind: type, _value: Any, implicit: tuple[bool, bool]) -> str:
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else _QUOTED
        return _COLLECTION

    def descend_resolver(self, _parent: Any, _index: Any) -> None:
        """Path resolvers are not used."""

    def ascend_resolver(self) -> None:
        """Path resolvers are not used."""


@dataclass(slots=True)
class Document:
    """One file.

    Attributes:
        file: Relative to the site folder.
        node: Root node, a mapping.
        data: The same as dict, list, str, int, float, bool and None.
    """

    file: str
    node: yaml.MappingNode
    data: dict[str, Any]

    def place(self, node: Any) -> Place:
        """Where a node of this file begins."""
        mark = node.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1)


def read(file: str, text: bytes, problems: Problems) -> Document | None:
    """Parses one file.

    Args:
        file: Its name in messages.
        text: UTF-8.
        problems: Takes what is wrong with the file as YAML.

    Returns:
        None when it is empty or not a mapping at its top; with a problem unless it is just empty.
    """
    if len(text) > FILE_BYTES_MAX:
        problems.add(
            Place(file), f"the file has {len(text)} bytes. Split it: at most {FILE_BYTES_MAX} are read."
        )
        return None
    node = _compose(file, text, problems)
    if node is None:
        return None
    converter = _Converter(file, problems)
    if not isinstance(node, yaml.MappingNode):
        problems.add(
            Place(file, 1, 1), "the file does not begin with a key such as 'tags:'. Write keys at its top."
        )
        return None
    data = converter.convert(node, 0)
    return Document(file, node, data) if isinstance(data, dict) else None


def _compose(file: str, text: bytes, problems: Problems) -> Any:
    loader: Any = None
    try:
        loader = _Loader(text)
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        problems.add(place, f"not YAML: {_explain(error, _character(text, mark))}")
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problems.add(Place(file), f"not YAML: {error}. Save the file as UTF-8 text.")
    finally:
        if loader is not None:
            loader.dispose()
    return None


def _character(text: bytes, mark: Any) -> str:
    """The character at a mark, or an empty text."""
    lines = text.decode(errors="replace").splitlines() if mark else []
    return lines[mark.line][mark.column : mark.column + 1] if mark and mark.line < len(lines) else ""


def _explain(error: yaml.MarkedYAMLError, character: str) -> str:
    what = f"{error.problem or error.context}"
    where = f" {error.context}" if error.problem and error.context else ""
    if where and error.context_mark:
        where += f" that begins in line {error.context_mark.line + 1}"
    if "cannot start any token" in what and character == "\t":
        return "a tab. Indent with spaces."
    if "cannot start any token" in what and character:
        return f"a text cannot begin with {character}. Write it in quotes."
    if "mapping values are not allowed" in what:
        return "a second ':' in one line. Put the text in quotes, or correct the indentation."
    if "could not find expected ':'" in what or "did not find expected key" in what:
        return f"{what}{where}. Correct the indentation, and look for a missing ':' or '}}' above."
    return f"{what}{where}. Correct the syntax here or just above."


class _Converter:
    """Nodes to plain data."""

    def __init__(self, file: str, problems: Problems) -> None:
        self.file = file
        self.problems = problems
        self.seen: set[int] = set()

    def report(self, node: Any, message: str) -> None:
        mark = node.start_mark
        self.problems.add(Place(self.file, mark.line + 1, mark.column + 1), message)

    def convert(self, node: Any, depth: int) -> Any:
        if isinstance(node, yaml.ScalarNode):
            if node.tag is _PLAIN:
                return scalar(node.value)
            if node.tag is not _QUOTED:
                self.report(node, f"the tag {node.tag} is not used here. Write the value without it.")
            return node.value
        if id(node) in self.seen:
            self.report(node, "anchors and aliases (& and *) are not used. Write it out, or make a template.")
            return None
        self.seen.add(id(node))
        if node.tag is not _COLLECTION:
            self.report(node, f"the tag {node.tag} is not used here. Leave it out.")
        if depth >= DEPTH_MAX:
            self.report(node, f"nested more than {DEPTH_MAX} deep. Write it flatter.")
            return None
        if isinstance(node, yaml.SequenceNode):
            return [self.convert(item, depth + 1) for item in node.value]
        return self.mapping(node, depth)

    def mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            if type(key) is not yaml.ScalarNode:
                self.report(key, "a key must be a text. Write 'name: value'.")
                continue
            if key.value in data:
                first = next(k for k, _ in node.value if k.value == key.value).start_mark.line + 1
                self.report(key, f"{key.value} is written twice, first in line {first}. Keep one of them.")
                continue
            plain = type(value) is yaml.ScalarNode and value.tag is _PLAIN  # most are: spare them a call
            data[key.value] = scalar(value.value) if plain else self.convert(value, depth + 1)
        return data


def scalar(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar, YAML 1.2 core schema without octal, hexadecimal, infinity and NaN.

    A number with leading zeros stays a text: it is an address or a name, not a count.
    """
    if text[:1] in _NUMERIC_START and len(text) < NUMBER_LENGTH_MAX:
        if text.isdecimal() and text.isascii() and (text[0] != "0" or text == "0"):
            return int(text)
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
        return text
    word: str | bool | None = _WORDS.get(text, text)
    return word


def find(node: Any, loc: Sequence[str | int], *, key: bool = False) -> tuple[Any, int]:
    """Follows a path of keys and indices as far as it goes.

    Args:
        node: Where to begin.
        loc: Keys and indices.
        key: For a last step into a mapping, give the key's node instead of the value's.

    Returns:
        The node reached and the number of steps that could be taken.
    """
    steps = 0
    for part in loc:
        following = None
        if isinstance(node, yaml.MappingNode):
            for k, v in node.value:
                if isinstance(k, yaml.ScalarNode) and k.value == str(part):
                    following = k if key and steps == len(loc) - 1 else v
                    break
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            following = node.value[part]
        if following is None:
            return node, steps
        node, steps = following, steps + 1
    return node, steps

"""Values as XML of a node set (OPC 10000-6 §5.3)."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Callable
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from asyncua import ua

from scada.opcua.nodes.ids import NAMESPACE

LOCAL: Final = 1
"""Index of the site's namespace in the file: what other servers make of it is theirs (OPC 10000-6 Annex F.5)."""
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def text(words: str) -> str:
    """A text as the content of an element; what XML cannot have becomes U+FFFD."""
    return escape(_FORBIDDEN.sub("\ufffd", words))


def attribute(words: str) -> str:
    """A text as the value of an attribute, with its quotation marks."""
    return quoteattr(_FORBIDDEN.sub("\ufffd", words))


def node_id(node: ua.NodeId) -> str:
    """A NodeId as the file has it.

    Raises:
        ValueError: It is of a namespace that the file does not have.
    """
    if node.NamespaceIndex == 0:
        return f"i={node.Identifier}"
    if node.NamespaceIndex != NAMESPACE or not isinstance(node.Identifier, str):
        raise ValueError(f"{node} is not of the site")
    return f"ns={LOCAL};s={node.Identifier}"


def name(words: ua.QualifiedName) -> str:
    """A BrowseName as the file has it."""
    return f"{LOCAL}:{words.Name}" if words.NamespaceIndex == NAMESPACE else str(words.Name)


def variant(value: ua.Variant) -> str:
    """A variant as the content of `Value`; "" for one that is empty."""
    if value.Value is None:
        return ""
    kind = value.VariantType.name
    if isinstance(value.Value, (list, tuple)):
        return _element(f"ListOf{kind}", "".join(_one(kind, one) for one in value.Value))
    return _one(kind, value.Value)


def _one(kind: str, value: Any) -> str:
    return _element(kind, _extension(value) if kind == "ExtensionObject" else _content(value))


def _extension(value: Any) -> str:
    kind = type(value).__name__
    encoding = getattr(ua.ObjectIds, f"{kind}_Encoding_DefaultXml")
    type_id = _element("TypeId", _element("Identifier", f"i={int(encoding)}"))
    return type_id + _element("Body", _element(kind, _structure(value)))


def _structure(value: Any) -> str:
    """The fields of a structure; those that are null are left out (§5.3.6)."""
    fields = ((one.name, getattr(value, one.name)) for one in dataclasses.fields(value))
    return "".join(_element(name_, _content(field)) for name_, field in fields if field is not None)


def _content(value: Any) -> str:
    for kind, written in _CONTENT:
        if isinstance(value, kind):
            return written(value)
    raise TypeError(f"a {type(value).__name__} has no place in a node set")


def _localized(value: ua.LocalizedText) -> str:
    return _element("Locale", text(value.Locale or "")) + _element("Text", text(value.Text or ""))


def _moment(value: dt.datetime) -> str:
    return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _double(value: float) -> str:
    return {"inf": "INF", "-inf": "-INF", "nan": "NaN"}.get(repr(value), repr(value))


_CONTENT: Final[tuple[tuple[type, Callable[[Any], str]], ...]] = (
    (bool, lambda value: str(value).lower()),
    (int, lambda value: str(int(value))),
    (float, _double),
    (str, text),
    (ua.LocalizedText, _localized),
    (ua.NodeId, lambda value: _element("Identifier", text(node_id(value)))),
    (dt.datetime, _moment),
    (list, lambda value: "".join(_element("UInt32", _content(one)) for one in value)),  # ArrayDimensions
)


def _element(tag: str, content: str) -> str:
    line = (
        "\n" if content.startswith("<") else ""
    )  # asyncua takes an element without any text for an empty one
    return f"<uax:{tag}>{line}{content}</uax:{tag}>"

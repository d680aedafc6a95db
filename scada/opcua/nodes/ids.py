"""NodeIds of a site: `ns=2;s=<path>`, the same after each restart and each edit of other tags."""

from __future__ import annotations

from typing import Final

from asyncua import ua

NAMESPACE: Final = 2
"""Index of `urn:closedloop:<site>`."""
MARK: Final = "#"
"""Before the name of what belongs to a tag or folder and is none itself; no path has it."""


def node_id(path: str) -> ua.NodeId:
    """`ns=2;s=<path>`, of a tag or a folder."""
    return ua.NodeId(path, NAMESPACE)


def part_id(path: str, name: str) -> ua.NodeId:
    """`ns=2;s=<path>#<name>`, of a property or a method of a tag, folder or unit."""
    return ua.NodeId(f"{path}{MARK}{name}", NAMESPACE)


def path_of(node: ua.NodeId) -> str | None:
    """The identifier of a node of the site; None for nodes of others."""
    if node.NamespaceIndex != NAMESPACE or not isinstance(node.Identifier, str):
        return None
    return node.Identifier

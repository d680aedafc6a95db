"""Roles are a ladder (IEC 62443-3-3 SR 2.1): viewer < operator < engineer < admin. Deny by default."""

from __future__ import annotations

from typing import Final

from tags.model import Tag

ROLES: Final = ("viewer", "operator", "engineer", "admin")

# The least role for each operation; a write also needs the tag's own `write_role`.
OPERATIONS: Final[dict[str, str]] = {
    "read": "viewer",
    "write": "operator",
    "acknowledge": "operator",
    "confirm": "operator",
    "comment": "operator",
    "shelve": "operator",
    "unshelve": "operator",
    "suppress": "operator",
    "unsuppress": "operator",
    "remove": "engineer",  # out of service (ISA-18.2 §5.4: maintenance, not operation)
    "return": "engineer",
    "enable": "engineer",
    "disable": "engineer",
    "force": "engineer",
    "unforce": "engineer",
    "bypass": "engineer",
    "unbypass": "operator",  # it puts a protection back
    "annotate": "operator",
    "edit": "engineer",
}


def at_least(role: str, least: str) -> bool:
    """True when `role` stands on the ladder at or above `least`; an unknown role never does."""
    return role in ROLES and ROLES.index(role) >= ROLES.index(least)


def refusal(role: str, operation: str, tag: Tag | None = None) -> str | None:
    """Why a role may not do this, or None when it may.

    Args:
        role: Of the person or program that asks.
        operation: A key of `OPERATIONS`.
        tag: What it is done to, if it is done to one.

    Returns:
        A sentence that names the least role, or None.
    """
    least = OPERATIONS.get(operation)
    if least is None:
        return f"there is no operation {operation!r}"
    if operation == "write" and tag is not None and ROLES.index(tag.write_role) > ROLES.index(least):
        least = tag.write_role
    if at_least(role, least):
        return None
    what = f"{operation} {tag.path}" if tag is not None else operation
    return f"to {what} takes the role {least}; you are {role or 'nobody'}"

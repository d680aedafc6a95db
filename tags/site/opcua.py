"""Who may connect over OPC UA and do what: from YAML to `tags.model.OpcuaSecurity`."""

from __future__ import annotations

from typing import Final

from tags.model import AccessRule, OpcuaSecurity
from tags.site import models
from tags.site.building import Scope
from tags.units import did_you_mean

_ALL: Final = "**"
_OPERATIONS: Final = ("browse", "read", "write", "call", "history", "edit", "events")
_NAMED: Final = frozenset({"write", "call", "edit"})  # never of somebody without a name


def compile_security(scope: Scope, made: models.Opcua) -> OpcuaSecurity:
    """What the site says, with what is wrong reported.

    Args:
        scope: Of the file with `opcua:`; all tags are known.
        made: What it says.
    """
    if made.unencrypted != "never" and not made.anonymous:
        text = (
            f"opcua.unencrypted: {made.unencrypted} is for callers without a name, and anonymous: false keeps them out."
            " Leave one of the two out."
        )
        scope.report(("opcua", "unencrypted"), text)
    places = {""}
    for path in scope.build.tags:
        while path and path not in places:
            places.add(path)
            path = path.rpartition("/")[0]  # noqa: PLW2901 - upwards
    rules = []
    seen: dict[str, str] = {}
    for pattern, rule in made.access.items():
        loc = ("opcua", "access", pattern)
        folder = "" if pattern == _ALL else pattern.removesuffix(f"/{_ALL}")
        if "*" in folder or folder not in places:
            hint = (
                did_you_mean(folder, places)
                or ". Write a folder as area/**, a tag by its path, everything as '**'."
            )
            scope.report(loc, f"opcua.access: there is no folder or tag {folder!r}{hint}", key=True)
            continue
        if folder in seen:
            text = f"opcua.access: {pattern!r} and {seen[folder]!r} are the same. Write one rule."
            scope.report(loc, text, key=True)
            continue
        seen[folder] = pattern
        least = {name: role for name in _OPERATIONS if (role := getattr(rule, name)) is not None}
        for name in sorted(_NAMED & set(least)):
            if least[name] in {"anonymous", "viewer"}:
                text = f"opcua.access: {name} takes an operator at least. Write operator, engineer or admin."
                scope.report((*loc, name), text)
        rules.append(AccessRule(folder=folder, least=least, encrypted=rule.encrypted))
    return OpcuaSecurity(
        unencrypted=made.unencrypted,
        anonymous=made.anonymous,
        key_bits=made.key_bits,
        access=tuple(sorted(rules, key=lambda rule: rule.folder)),
    )

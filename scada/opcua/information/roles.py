"""The roles that there are, and who has each (OPC 10000-18 §4.2, §4.4): our roles are those of the site's users."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from asyncua import ua
from asyncua.server.address_space import AddressSpace

from scada.access import at_least
from scada.opcua.events.audit import WHO
from scada.opcua.information.standard import good, live, prune

O: Final = ua.ObjectIds  # noqa: E741 - the table of standard nodes
LEAST: Final = "admin"
"""The role that sees who has which."""
_KIND: Final = ua.IdentityCriteriaType
RULES: Final[dict[str, tuple[ua.IdentityCriteriaType, str]]] = {
    "Anonymous": (_KIND.Anonymous, ""),
    "AuthenticatedUser": (_KIND.AuthenticatedUser, ""),
    "Observer": (_KIND.GroupId, "viewer"),
    "Operator": (_KIND.GroupId, "operator"),
    "Engineer": (_KIND.GroupId, "engineer"),
    "ConfigureAdmin": (_KIND.GroupId, "admin"),
}
"""Criterion and group of each well-known role; a group is a role of `scada users`."""
_ABSENT: Final = ("Supervisor", "SecurityAdmin", "TrustedApplication")
_OPTIONAL: Final = (
    "ApplicationsExclude",
    "Applications",
    "EndpointsExclude",
    "Endpoints",
    "CustomConfiguration",
)


def fill(aspace: AddressSpace, now_ns: Callable[[], int]) -> None:
    """Tells administrators who has which role; takes away roles that nobody can have.

    Args:
        aspace: With the standard nodes.
        now_ns: UTC clock.
    """
    names = [f"WellKnownRole_{role}" for role in _ABSENT]
    names += [f"WellKnownRole_{role}_{part}" for role in RULES for part in _OPTIONAL]
    prune(aspace, [getattr(O, name) for name in names if hasattr(O, name)])
    for role, (kind, group) in RULES.items():
        rule = ua.IdentityMappingRuleType(CriteriaType=kind, Criteria=group)
        live(aspace, getattr(O, f"WellKnownRole_{role}_Identities"), partial(_rules, rule, now_ns))


def _rules(rule: ua.IdentityMappingRuleType, now_ns: Callable[[], int]) -> ua.DataValue:
    caller = WHO.get().caller
    if caller is None or caller.name is None or not at_least(caller.site_role, LEAST):
        return ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadUserAccessDenied))
    return good([rule], ua.VariantType.ExtensionObject, now_ns(), array=True)

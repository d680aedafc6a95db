"""What a caller may do with which tag (OPC 10000-3 §4.9 and §8.55): the roles' ladder over the site's folders.

By default everybody who may connect browses, reads and hears; a write takes the tag's `write_role`, a call an
operator, a change of history an engineer. Rules of the site (`opcua: {access: …}`) say otherwise for a folder and all
that lies below it; of several the deepest counts. Control asks the role again for each request.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from asyncua import ua
from asyncua.crypto.permission_rules import User, UserRole

from scada.opcua.security.caller import Caller
from tags.model import OpcuaSecurity, Tag


class Permission(enum.IntFlag):
    """PermissionType (OPC 10000-3 §8.55), the bits that this server knows."""

    BROWSE = 0x1
    READ_ROLE_PERMISSIONS = 0x2
    READ = 0x20
    WRITE = 0x40
    READ_HISTORY = 0x80
    INSERT_HISTORY = 0x100
    MODIFY_HISTORY = 0x200
    DELETE_HISTORY = 0x400
    RECEIVE_EVENTS = 0x800
    CALL = 0x1000


LADDER: Final = ("anonymous", "viewer", "operator", "engineer", "admin")
OPERATIONS: Final[dict[str, str]] = {
    "browse": "anonymous",
    "read": "anonymous",
    "write": "operator",
    "call": "operator",
    "history": "anonymous",
    "edit": "engineer",
    "events": "anonymous",
}
"""What a rule may name, and the least role where no rule does."""
NAMED: Final = frozenset({"write", "call", "edit"})
"""What an anonymous caller may never do, whatever a rule says."""
ROLES: Final[dict[str, ua.NodeId]] = {
    "anonymous": ua.NodeId(ua.ObjectIds.WellKnownRole_Anonymous),
    "viewer": ua.NodeId(ua.ObjectIds.WellKnownRole_Observer),
    "operator": ua.NodeId(ua.ObjectIds.WellKnownRole_Operator),
    "engineer": ua.NodeId(ua.ObjectIds.WellKnownRole_Engineer),
    "admin": ua.NodeId(ua.ObjectIds.WellKnownRole_ConfigureAdmin),
}
"""Our roles as the well-known ones (OPC 10000-3 §4.9.2)."""
_FOLLOWS: Final = {"read": ("history", "events"), "write": ("call",)}  # where a rule names the one alone
_OPERATION: Final[dict[Permission, str]] = {
    Permission.BROWSE: "browse",
    Permission.READ: "read",
    Permission.WRITE: "write",
    Permission.READ_HISTORY: "history",
    Permission.INSERT_HISTORY: "edit",
    Permission.MODIFY_HISTORY: "edit",
    Permission.DELETE_HISTORY: "edit",
    Permission.RECEIVE_EVENTS: "events",
    Permission.CALL: "call",
}
_READ_ROLES: Final = LADDER.index("engineer")
_NOBODY: Final = -1


@dataclass(frozen=True, slots=True)
class _Rule:
    """What counts in one folder: the place on the ladder by operation, and whether the channel must be encrypted."""

    least: dict[str, int]
    encrypted: bool = False


_DEFAULT: Final = _Rule({operation: LADDER.index(role) for operation, role in OPERATIONS.items()})


class Access:
    """Who may do what.

    Args:
        security: The site's rules.
        tags: All tags in the order of rows (`Client.tag_list`).
        by_path: The same by path, where somebody has them already: of 100,000 they take 5 MB.
    """

    def __init__(
        self, security: OpcuaSecurity, tags: Sequence[Tag], by_path: Mapping[str, Tag] | None = None
    ) -> None:
        self._rules = _inherited(security)
        self._tags = {tag.path: tag for tag in tags} if by_path is None else by_path
        rules, places = self._places([tag.path for tag in tags])
        self._encrypted = np.array([rule.encrypted for rule in rules], np.bool_)[places]
        self._least = {
            operation: np.array([rule.least[operation] for rule in rules], np.int8)[places]
            for operation in OPERATIONS
        }
        ladder = {role: place for place, role in enumerate(LADDER)}
        roles = np.fromiter((ladder[tag.write_role] for tag in tags), np.int8, len(tags))
        self._least["write"] = np.maximum(self._least["write"], roles)
        self._masks: dict[tuple[int, bool, Permission], npt.NDArray[np.bool_]] = {}

    def rows(self, caller: User | None, permission: Permission) -> npt.NDArray[np.bool_]:
        """True in the row of each tag that a caller may use so; shared by all of a role, not to be written to.

        Args:
            caller: Of the session; asyncua's own administrator may everything, None is anonymous.
            permission: One bit.
        """
        if permission not in _OPERATION:
            raise ValueError(f"{permission!r} is not one permission of a tag")
        rank, safe = _rank(caller), _safe(caller)
        key = (rank, safe, permission)
        mask = self._masks.get(key)
        if mask is None:
            operation = _OPERATION[permission]
            mask = _may(rank, operation) & (self._least[operation] <= rank)
            if not safe:
                mask = mask & ~self._encrypted
            mask.flags.writeable = False
            self._masks[key] = mask
        return mask

    def permits(self, caller: User | None, path: str, permission: Permission) -> bool:
        """Whether a caller may do this with what lies at or below a path; see `refusal`."""
        return self.refusal(caller, path, permission) == 0

    def refusal(self, caller: User | None, path: str, permission: Permission) -> int:
        """Why a caller may not do this, as a status code; 0 when he may.

        Args:
            caller: Of the session.
            path: Of a tag, a folder, a property or method (`<path>#EURange`) or an alarm; not a NodeId.
            permission: One or more bits; all are needed.

        Returns:
            0, BadUserAccessDenied, or BadSecurityModeInsufficient where the role would do and the channel does not.
        """
        path = path.partition("#")[0]
        rule = self._rule(path)
        granted = self._granted(_rank(caller), path, rule)
        if permission & ~granted:
            return int(ua.StatusCodes.BadUserAccessDenied)
        if rule.encrypted and not _safe(caller):
            return int(ua.StatusCodes.BadSecurityModeInsufficient)
        return 0

    def granted(self, caller: User | None, path: str) -> Permission:
        """All permissions that a caller has at a path, by his role and his channel."""
        path = path.partition("#")[0]
        rule = self._rule(path)
        if rule.encrypted and not _safe(caller):
            return Permission(0)
        return self._granted(_rank(caller), path, rule)

    def role_permissions(self, path: str) -> list[ua.RolePermissionType]:
        """The attribute RolePermissions (OPC 10000-3 §5.2.9) of what lies at a path."""
        path = path.partition("#")[0]
        rule = self._rule(path)
        return [_entry(name, self._granted(rank, path, rule)) for rank, name in enumerate(LADDER)]

    def user_role_permissions(self, caller: User | None, path: str) -> list[ua.RolePermissionType]:
        """The attribute UserRolePermissions (OPC 10000-3 §5.2.10): those of the caller's own role."""
        path = path.partition("#")[0]
        rank = min(max(_rank(caller), 0), len(LADDER) - 1)
        return [_entry(LADDER[rank], self._granted(rank, path, self._rule(path)))]

    def restrictions(self, path: str) -> int:
        """The attribute AccessRestrictions (OPC 10000-3 §8.56): 0, or EncryptionRequired, also for Browse."""
        encrypted = self._rule(path.partition("#")[0]).encrypted
        wanted = (
            ua.AccessRestrictionType.EncryptionRequired | ua.AccessRestrictionType.ApplyRestrictionsToBrowse
        )
        return int(wanted) if encrypted else 0

    def access_level(self, caller: User | None, tag: Tag) -> int:
        """The attribute UserAccessLevel (OPC 10000-3 §5.6.2) of a tag: its AccessLevel as far as the caller may."""
        granted = self.granted(caller, tag.path)
        bits = ua.AccessLevel.CurrentRead.mask if Permission.READ in granted else 0
        if tag.writable and Permission.WRITE in granted:
            bits |= ua.AccessLevel.CurrentWrite.mask
        if tag.history.keep and Permission.READ_HISTORY in granted:
            bits |= ua.AccessLevel.HistoryRead.mask
        if tag.history.keep and Permission.MODIFY_HISTORY in granted:
            bits |= ua.AccessLevel.HistoryWrite.mask
        return int(bits)

    def _granted(self, rank: int, path: str, rule: _Rule) -> Permission:
        tag = self._tags.get(path)
        found = Permission.READ_ROLE_PERMISSIONS if rank >= _READ_ROLES else Permission(0)
        for permission, operation in _OPERATION.items():
            least = rule.least[operation]
            if operation == "write" and tag is not None:
                least = max(least, LADDER.index(tag.write_role))
            if _may(rank, operation) and rank >= least:
                found |= permission
        return found

    def _places(self, paths: Sequence[str]) -> tuple[list[_Rule], npt.NDArray[np.intp]]:
        """The rules, and the place in them of each path's: there are many tags, and few rules."""
        rules = [_DEFAULT, *self._rules.values()]
        if not self._rules:
            return rules, np.zeros(len(paths), np.intp)
        known = {"": 0} | {folder: place for place, folder in enumerate(self._rules, 1)}

        def place(path: str) -> int:
            found = known.get(path)
            if found is None:
                found = known[path] = place(path.rpartition("/")[0])
            return found

        return rules, np.fromiter(map(place, paths), np.intp, len(paths))

    def _rule(self, path: str) -> _Rule:
        while path and path not in self._rules:
            path = path.rpartition("/")[0]
        return self._rules.get(path, _DEFAULT)


def _inherited(security: OpcuaSecurity) -> dict[str, _Rule]:
    """Each folder that has a rule with what counts there, shallow ones first."""
    made: dict[str, _Rule] = {}
    for rule in sorted(security.access, key=lambda rule: (rule.folder != "", rule.folder.count("/"))):
        above = rule.folder
        base = _DEFAULT
        while above:
            above = above.rpartition("/")[0]
            if above in made:
                base = made[above]
                break
        least = dict(base.least)
        for operation, role in rule.least.items():
            place = LADDER.index(role)
            least[operation] = place
            for other in _FOLLOWS.get(operation, ()):
                if other not in rule.least:
                    least[other] = place
        encrypted = base.encrypted if rule.encrypted is None else rule.encrypted
        made[rule.folder] = _Rule(least, encrypted)
    return made


def _rank(caller: User | None) -> int:
    if isinstance(caller, Caller):
        if caller.anonymous:
            return 0
        return LADDER.index(caller.site_role) if caller.site_role in LADDER[1:] else _NOBODY
    return len(LADDER) if caller is not None and caller.role == UserRole.Admin else 0


def _safe(caller: User | None) -> bool:
    """The caller's channel is encrypted, or he is the server itself."""
    if isinstance(caller, Caller):
        return caller.mode == ua.MessageSecurityMode.SignAndEncrypt.value
    return caller is not None and caller.role == UserRole.Admin


def _may(rank: int, operation: str) -> bool:
    return rank > 0 or (rank == 0 and operation not in NAMED)


def _entry(role: str, permissions: Permission) -> ua.RolePermissionType:
    return ua.RolePermissionType(RoleId=ROLES[role], Permissions=ua.PermissionType(int(permissions)))

"""Rules of folders against roles: rows, single paths and attributes say the same."""

from __future__ import annotations

import pytest
from asyncua import ua
from asyncua.crypto.permission_rules import User, UserRole
from hypothesis import given
from hypothesis import strategies as st

from scada.access import ROLES
from scada.opcua.security.access import LADDER, NAMED, OPERATIONS, Access, Permission
from scada.opcua.security.caller import Caller
from tags.model import AccessRule, History, OpcuaSecurity, Tag

PATHS = ("a/b/c", "a/b/d", "a/e", "f/g", "f/g/HH", "h")
SINGLE = [p for p in Permission if p != Permission.READ_ROLE_PERMISSIONS]


def tag(path: str, role: str = "operator", *, writable: bool = True) -> Tag:
    return Tag(
        id=1,
        path=path,
        type="float64",
        kind="memory",
        writer="control",
        row=0,
        writable=writable,
        write_role=role,
    )


def caller(role: str, mode: int = 3) -> Caller:
    if role == "anonymous":
        return Caller(role=UserRole.User, mode=mode)
    return Caller(role=UserRole.User, name="x", site_role=role, mode=mode)


def made(*rules: AccessRule, role: str = "operator") -> Access:
    return Access(OpcuaSecurity(access=rules), [tag(path, role) for path in PATHS])


def test_without_rules_everybody_reads_and_operators_write() -> None:
    access = made()
    for role in LADDER:
        assert access.permits(
            caller(role), "a/e", Permission.READ | Permission.BROWSE | Permission.READ_HISTORY
        )
        assert access.permits(caller(role), "a/e", Permission.WRITE) == (
            role in {"operator", "engineer", "admin"}
        )
        assert access.permits(caller(role), "a/e", Permission.MODIFY_HISTORY) == (
            role in {"engineer", "admin"}
        )
    assert access.permits(User(role=UserRole.Admin), "a/e", Permission.WRITE)
    assert not access.permits(None, "a/e", Permission.WRITE)
    assert not access.permits(Caller(role=UserRole.User, name="x", site_role="king"), "a/e", Permission.READ)


def test_the_tags_own_role_counts_for_writes() -> None:
    access = made(role="engineer")
    assert not access.permits(caller("operator"), "a/e", Permission.WRITE)
    assert access.permits(caller("engineer"), "a/e", Permission.WRITE)
    assert not access.rows(caller("operator"), Permission.WRITE).any()


def test_a_rule_holds_below_its_folder_and_the_deepest_counts() -> None:
    access = made(
        AccessRule(folder="a", least={"read": "engineer"}),
        AccessRule(folder="a/b/c", least={"read": "anonymous"}),
    )
    anna = caller("operator")
    assert access.rows(anna, Permission.READ).tolist() == [True, False, False, True, True, True]
    assert not access.permits(anna, "a", Permission.READ)
    assert not access.permits(anna, "a/b/d#EURange", Permission.READ)
    assert access.permits(anna, "a/b/c/HH", Permission.READ)
    assert access.permits(anna, "ab/c", Permission.READ)  # a name that begins alike is another folder
    # who may not read may not hear or look back either
    assert not access.permits(anna, "a/e", Permission.READ_HISTORY)
    assert not access.permits(anna, "a/e", Permission.RECEIVE_EVENTS)
    assert access.permits(anna, "a/e", Permission.BROWSE)


def test_an_unencrypted_channel_is_told_why() -> None:
    access = made(AccessRule(folder="a", encrypted=True), AccessRule(folder="a/e", encrypted=False))
    for mode in (1, 2):
        assert (
            access.refusal(caller("engineer", mode), "a/b/c", Permission.READ)
            == ua.StatusCodes.BadSecurityModeInsufficient
        )
        assert access.permits(caller("engineer", mode), "a/e", Permission.READ)
        assert access.rows(caller("viewer", mode), Permission.READ).tolist() == [False] * 2 + [True] * 4
    assert access.permits(caller("engineer"), "a/b/c", Permission.READ)
    assert (
        access.refusal(caller("viewer", 1), "a/b/c", Permission.WRITE) == ua.StatusCodes.BadUserAccessDenied
    )
    assert access.restrictions("a/b") == 2 | 8
    assert access.restrictions("f") == 0


def test_a_mask_is_shared_and_cannot_be_changed() -> None:
    access = made()
    mask = access.rows(caller("viewer"), Permission.READ)
    assert mask is access.rows(caller("viewer"), Permission.READ)
    with pytest.raises(ValueError, match="read-only"):
        mask[0] = False
    with pytest.raises(ValueError, match="one permission"):
        access.rows(caller("viewer"), Permission.READ | Permission.WRITE)


def test_the_user_access_level_is_the_access_level_as_far_as_one_may() -> None:
    kept = tag("a/e")
    lost = Tag(id=2, path="h", type="bool", kind="device", writer="field", row=0, history=History(keep=False))
    access = Access(OpcuaSecurity(access=(AccessRule(folder="h", least={"read": "viewer"}),)), [kept, lost])
    assert access.access_level(caller("anonymous"), kept) == 1 | 4
    assert access.access_level(caller("operator"), kept) == 1 | 2 | 4
    assert access.access_level(caller("engineer"), kept) == 1 | 2 | 4 | 8
    assert access.access_level(caller("anonymous"), lost) == 0
    assert access.access_level(caller("admin"), lost) == 1


rules = st.lists(
    st.builds(
        AccessRule,
        folder=st.sampled_from(("", "a", "a/b", "a/b/c", "f", "f/g", "h")),
        least=st.dictionaries(st.sampled_from(tuple(OPERATIONS)), st.sampled_from(LADDER), max_size=3),
        encrypted=st.sampled_from((None, True, False)),
    ),
    unique_by=lambda rule: rule.folder,
    max_size=5,
)


@given(
    rules,
    st.sampled_from(LADDER),
    st.integers(1, 3),
    st.sampled_from(SINGLE),
    st.sampled_from(ROLES[1:]),
)
def test_rows_single_paths_and_attributes_agree(
    written: list[AccessRule], role: str, mode: int, permission: Permission, least: str
) -> None:
    access = made(*written, role=least)
    who = caller(role, mode)
    rows = access.rows(who, permission)
    for path, row in zip(PATHS, rows.tolist(), strict=True):
        assert access.permits(who, path, permission) == row
        assert (permission in access.granted(who, path)) == row
        assert access.permits(who, f"{path}#x", permission) == row
        [own] = access.user_role_permissions(who, path)
        everyone = {entry.RoleId: entry.Permissions for entry in access.role_permissions(path)}
        assert everyone[own.RoleId] == own.Permissions
        closed = bool(access.restrictions(path)) and mode != 3
        assert row == (bool(own.Permissions & permission) and not closed)


@given(rules, st.sampled_from(SINGLE))
def test_a_higher_role_may_whatever_a_lower_one_may(
    written: list[AccessRule], permission: Permission
) -> None:
    access = made(*written)
    for path in PATHS:
        allowed = [access.permits(caller(role), path, permission) for role in LADDER]
        assert allowed == sorted(allowed)


@given(rules, st.sampled_from(PATHS))
def test_nobody_without_a_name_writes_calls_or_edits(written: list[AccessRule], path: str) -> None:
    access = made(*written)
    granted = access.granted(caller("anonymous"), path)
    named = Permission.WRITE | Permission.CALL | Permission.MODIFY_HISTORY
    assert not granted & (named | Permission.INSERT_HISTORY | Permission.DELETE_HISTORY)
    assert {"write", "call", "edit"} == NAMED

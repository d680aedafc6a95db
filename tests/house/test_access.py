from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.access import OPERATIONS, ROLES, at_least, refusal
from scada.requests.message import ALARM_KINDS
from tags.model import Tag


def tag(write_role: str) -> Tag:
    return Tag(
        id=1, path="a/b", type="float64", kind="memory", writer="control", row=0, write_role=write_role
    )


@given(st.sampled_from(ROLES), st.sampled_from(ROLES))
def test_roles_are_a_ladder(role: str, least: str) -> None:
    assert at_least(role, least) == (ROLES.index(role) >= ROLES.index(least))


@given(st.text(), st.sampled_from(ROLES))
def test_an_unknown_role_may_nothing(role: str, least: str) -> None:
    assert at_least(role, least) == (role in ROLES and at_least(role, least))
    if role not in ROLES:
        assert all(refusal(role, operation) for operation in OPERATIONS)


@pytest.mark.parametrize("write_role", ROLES)
@pytest.mark.parametrize("role", ROLES)
def test_a_write_takes_the_role_of_the_operation_and_of_the_tag(role: str, write_role: str) -> None:
    refused = refusal(role, "write", tag(write_role))
    allowed = at_least(role, "operator") and at_least(role, write_role)
    assert (refused is None) == allowed
    if refused is not None:
        assert "a/b" in refused
        assert role in refused


MAINTENANCE = ("remove", "return", "enable", "disable")


def test_the_matrix() -> None:
    expected = {
        "viewer": {"read"},
        "operator": {"read", "write", "annotate", "unbypass", *ALARM_KINDS} - set(MAINTENANCE),
        "engineer": {*OPERATIONS},
        "admin": set(OPERATIONS),
    }
    for role, operations in expected.items():
        assert {name for name in OPERATIONS if refusal(role, name) is None} == operations


def test_an_unknown_operation_is_refused() -> None:
    assert refusal("admin", "destroy") == "there is no operation 'destroy'"

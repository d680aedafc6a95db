from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from scada.clock import SimulatedClock
from scada.users import PASSWORD_LENGTH_MIN, Throttle, Users, place_of

SECOND = 1_000_000_000


def test_a_user_signs_in_with_the_right_password_only(tmp_path: Path) -> None:
    users = Users(tmp_path / "users")
    users.add("anna", "correct horse", "operator")
    assert users.verify("anna", "correct horse") == "operator"
    assert users.verify("anna", "correct horse ") is None
    assert users.verify("otto", "correct horse") is None
    assert users.verify("admin", "") is None
    assert users.roles() == {"anna": "operator"}


def test_an_unknown_name_costs_a_whole_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hash that it is checked against is well formed and of the same cost as a real one."""
    users = Users(tmp_path / "users")
    users.add("anna", "correct horse", "operator")
    checked: list[str] = []

    class Hasher(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - its name
            checked.append(str(hash))
            with pytest.raises(VerifyMismatchError):  # not InvalidHashError: that one is instant
                super().verify(hash, password)
            raise VerifyMismatchError

    monkeypatch.setattr(users, "_hasher", Hasher())
    assert users.verify("anna", "wrong") is None
    assert users.verify("otto", "wrong") is None
    known, unknown = (text.split("$") for text in checked)
    assert known[:4] == unknown[:4]
    assert [len(part) for part in known] == [len(part) for part in unknown]


def test_no_password_stands_in_the_file_and_nobody_else_reads_it(tmp_path: Path) -> None:
    users = Users(tmp_path / "users")
    users.add("anna", "correct horse", "operator")
    assert b"correct" not in (tmp_path / "users").read_bytes()
    assert (tmp_path / "users").stat().st_mode & 0o777 == 0o600


def test_a_user_gets_a_new_password_and_role(tmp_path: Path) -> None:
    users = Users(tmp_path / "users")
    users.add("anna", "correct horse", "operator")
    users.add("anna", "battery staple", "engineer")
    assert users.verify("anna", "correct horse") is None
    assert users.verify("anna", "battery staple") == "engineer"


@pytest.mark.parametrize(
    ("name", "password", "role", "says"),
    [
        ("Anna", "correct horse", "operator", "user name"),
        ("", "correct horse", "operator", "user name"),
        ("anna", "x" * (PASSWORD_LENGTH_MIN - 1), "operator", "at least 10"),
        ("anna", "correct horse", "boss", "viewer, operator, engineer, admin"),
    ],
)
def test_bad_accounts_are_refused_before_anything_is_written(
    tmp_path: Path, name: str, password: str, role: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        Users(tmp_path / "users").add(name, password, role)
    assert not (tmp_path / "users").exists()


def test_the_throttle_lets_few_failures_through_and_doubles_the_wait() -> None:
    clock = SimulatedClock()
    throttle = Throttle(clock, free=5)
    for _ in range(5):
        assert throttle.allowed("anna@a")
        throttle.failed("anna@a")
    assert not throttle.allowed("anna@a")
    assert throttle.allowed("anna@b")  # nobody is locked out from another place
    clock.advance(SECOND)
    assert throttle.allowed("anna@a")
    throttle.failed("anna@a")
    clock.advance(SECOND)
    assert not throttle.allowed("anna@a")
    clock.advance(SECOND)
    assert throttle.allowed("anna@a")
    throttle.succeeded("anna@a")
    throttle.failed("anna@a")
    assert throttle.allowed("anna@a")


def test_ten_thousand_guesses_in_an_hour_let_few_reach_the_hash() -> None:
    clock = SimulatedClock()
    throttle = Throttle(clock)
    reached = 0
    for _ in range(10_000):
        if throttle.allowed("anna@a"):
            reached += 1
            throttle.failed("anna@a")
        clock.advance(360_000_000)  # 0.36 s
    assert reached <= 10 + 60  # IEC 62443-4-2 CR 1.11: about one a minute once it has slowed down


def test_the_throttle_remembers_a_bounded_number_of_sources() -> None:
    throttle = Throttle(SimulatedClock(), free=1)
    for number in range(Throttle.KEYS_MAX + 10):
        throttle.failed(str(number))
    assert throttle.allowed("0")
    assert not throttle.allowed(str(Throttle.KEYS_MAX + 9))


def test_a_quarter_of_an_hour_without_a_failure_is_a_new_beginning() -> None:
    clock = SimulatedClock()
    throttle = Throttle(clock, free=2)
    for _ in range(2000):  # far beyond any power of two that would fit
        throttle.failed("anna")
    assert throttle.wait_s("anna") == 60
    clock.advance(901 * 1_000_000_000)
    throttle.failed("anna")
    assert throttle.allowed("anna")


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.8.9.10", "127.0.0.1"),
        ("::1", "127.0.0.1"),
        ("::ffff:127.0.0.7", "127.0.0.1"),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_who_has_one_address_of_a_place_has_them_all(address: str, place: str) -> None:
    assert place_of(address) == place

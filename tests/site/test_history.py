"""What `historian:` and `history:` compile to."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tags.model import History, Retention, dump, load
from tags.site import fields
from tests.site.helpers import BASE, compile_case

DAY = 86_400 * 10**9
SECOND = 10**9


def settings(tmp_path: Path, text: str) -> Retention:
    head = (BASE / "site.yaml").read_text()
    site = compile_case(tmp_path, "", **{"site.yaml": f"{head}\nhistorian: {text}\n"})
    assert load(dump(site)) == site
    return site.retention


def test_how_long_history_is_kept(tmp_path: Path) -> None:
    found = settings(
        tmp_path, "{keep: 30 days, minutes: 2 years, hours: forever, events: 6 months, disk: 10 GB}"
    )
    assert found == Retention(
        samples_ns=30 * DAY,
        minutes_ns=2 * 366 * DAY,
        hours_ns=0,
        events_ns=6 * 31 * DAY,
        size=10**10,
        share=0.9,
    )


def test_defaults_of_retention(tmp_path: Path) -> None:
    assert compile_case(tmp_path, "").retention == Retention(
        samples_ns=400 * DAY, minutes_ns=5 * 366 * DAY, hours_ns=0, events_ns=5 * 366 * DAY, size=0, share=0.5
    )


def test_summaries_are_never_gone_before_the_samples(tmp_path: Path) -> None:
    assert settings(tmp_path / "a", "{keep: forever}").minutes_ns == 0
    assert settings(tmp_path / "b", "{keep: 10 years, disk: 20 %}") == Retention(
        samples_ns=3660 * DAY, minutes_ns=3660 * DAY, hours_ns=0, events_ns=1830 * DAY, size=0, share=0.2
    )


TAG = "  a/{name}: {{device: PLC1, address: input/{n}, type: int16, raw: [0, 27648], range: [0, 50], unit: m{more}}}\n"


def histories(tmp_path: Path, **written: str) -> dict[str, History]:
    lines = [
        TAG.format(name=name, n=20 + n, more=f", history: {text}" if text else "")
        for n, (name, text) in enumerate(written.items())
    ]
    found = compile_case(tmp_path, "tags:\n" + "".join(lines)).by_path()
    return {name: found[f"a/{name}"].history for name in written}


def test_policies_of_tags(tmp_path: Path) -> None:
    found = histories(
        tmp_path,
        plain="",
        change="on change",
        off="off",
        dead="{deadband: 1 %}",
        every="{every: 10 s}",
        door="{swinging_door: 0.5 %}",
        wide="{swinging_door: 20 cm, max_gap: 1 h}",
    )
    gap = 600 * SECOND
    assert found["plain"] == History(deadband=0.1 / 100 * 50, max_gap_ns=gap)
    assert found["change"] == History(max_gap_ns=gap)
    assert found["off"] == History(keep=False)
    assert found["dead"] == History(deadband=0.5, max_gap_ns=gap)
    assert found["every"] == History(policy="periodic", period_ns=10 * SECOND, max_gap_ns=10 * SECOND)
    assert found["door"] == History(policy="swinging door", deviation=0.25, max_gap_ns=gap)
    assert found["wide"] == History(policy="swinging door", deviation=0.2, max_gap_ns=3600 * SECOND)


def test_a_door_by_default_is_for_those_it_fits(tmp_path: Path) -> None:
    head = (
        (BASE / "site.yaml").read_text().replace("{deadband: 0.1 %, max_gap: 10 min}", "{swinging_door: 1 %}")
    )
    text = """
tags:
  a/straight: {device: PLC1, address: input/20, type: int16, raw: [0, 100], range: [0, 50]}
  a/whole: {device: PLC1, address: input/21, type: int16}
  a/no_range: {device: PLC1, address: input/22, type: int16, scale: 0.1}
  a/own: {device: PLC1, address: input/23, type: int16, raw: [0, 100], range: [0, 50], history: {deadband: 1}}
"""
    found = compile_case(tmp_path, text, **{"site.yaml": head}).by_path()
    assert found["a/straight"].history == History(policy="swinging door", deviation=0.5)
    assert found["a/whole"].history == History()
    assert found["a/no_range"].history == History()
    assert found["a/own"].history == History(deadband=1.0)


@given(st.floats(1, 1000), st.sampled_from(["d", "day", "days", "weeks", "months", "year"]))
def test_an_age_is_at_least_its_number_of_days(number: float, unit: str) -> None:
    least = {"weeks": 7, "months": 31, "year": 366}.get(unit, 1)
    if number * least < 53_000:
        assert fields.age(f"{number:.6f} {unit}") == pytest.approx(number * least * DAY, rel=1e-6, abs=DAY)


@pytest.mark.parametrize(
    "text", ["", "5", "days", "0 d", "23 h", "1000 years", "-3 days", "nan days", None, 5, True, ["1 d"]]
)
def test_what_is_no_age(text: object) -> None:
    with pytest.raises(ValueError, match=r"Write"):
        fields.age(text)


@pytest.mark.parametrize(
    ("text", "size", "share"),
    [("50 %", 0, 0.5), ("90%", 0, 0.9), ("10 GB", 10**10, 0), ("1.5TiB", 3 * 2**39, 0), ("100 MB", 10**8, 0)],
)
def test_room_on_a_disk(text: str, size: int, share: float) -> None:
    assert fields.space(text) == (size, share)


@pytest.mark.parametrize("text", ["", "0 %", "91 %", "10", "10 gigs", "99 MB", "1e30 TB", None, 5, {}])
def test_what_is_no_room(text: object) -> None:
    with pytest.raises(ValueError, match=r"Write"):
        fields.space(text)

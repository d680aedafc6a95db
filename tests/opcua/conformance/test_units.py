"""The list of conformance units is complete: what is offered has tests of both kinds, and the page of the manual says so."""

from __future__ import annotations

from collections import Counter

import pytest

from scada.opcua.information import capabilities
from tests.opcua.conformance import cases
from tests.opcua.conformance.case import CASES
from tests.opcua.conformance.document import PATH, REFERENCE, limits_table, page
from tests.opcua.conformance.units import ELSEWHERE, FACETS, NOT_OFFERED, PROFILES, offered, units

assert cases
ROOT = PATH.parents[2]


@pytest.mark.parametrize("positive", [True, False])
def test_each_unit_that_is_offered_has_a_case(positive: bool) -> None:
    tested = {unit for case in CASES if case.positive == positive for unit in case.units}
    assert sorted(set(offered()) - tested - set(ELSEWHERE)) == []


@pytest.mark.parametrize("unit", ELSEWHERE)
def test_what_is_tested_elsewhere_is(unit: str) -> None:
    for test in ELSEWHERE[unit]:
        file, _, function = test.partition("::")
        assert f"def {function}(" in (ROOT / file).read_text(), test


def test_no_case_is_of_a_unit_that_is_not_offered() -> None:
    claimed = {unit for case in CASES for unit in case.units}
    assert sorted(claimed & set(NOT_OFFERED)) == []


def test_the_server_names_the_profiles_that_it_has() -> None:
    facets = {facet.name: facet for facet in FACETS}
    whole = {
        f"http://opcfoundation.org/UA-Profile/{uri}"
        for uri, names in PROFILES.items()
        if not any(
            unit.name in NOT_OFFERED for name in names for unit in facets[name].units if not unit.optional
        )
    }
    assert set(capabilities.PROFILES) == whole


def test_names_are_unique() -> None:
    listed = Counter(unit.name for facet in FACETS for unit in facet.units)
    assert [name for name, count in listed.items() if count > 1] == []
    assert [name for name, count in Counter(case.name for case in CASES).items() if count > 1] == []
    assert sorted(set(NOT_OFFERED) - set(units())) == []


def test_what_is_mandatory_and_missing_is_said() -> None:
    missing = {name for name, unit in units().items() if not unit.optional and name in NOT_OFFERED}
    assert missing == {name for name, why in NOT_OFFERED.items() if why.startswith("mandatory;")}


def test_the_pages_of_the_manual_are_these_lists() -> None:
    assert limits_table() in REFERENCE.read_text(), "renew it: python -m tests.opcua.conformance.document"
    assert PATH.read_text() == page(), "renew it: python -m tests.opcua.conformance.document"

"""Continuation points: each once, of one session, not too many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.opcua.history.events import Place
from scada.opcua.history.points import NoPointError, PointError, Points


class Session:
    pass


@given(st.lists(st.sampled_from(["give", "take", "steal", "repeat"]), max_size=40))
def test_each_is_good_once_and_for_its_session(steps: list[str]) -> None:
    points, mine, other = Points(5), Session(), Session()
    live: list[tuple[bytes, bytes]] = []
    used: list[bytes] = []
    for number, step in enumerate(steps):
        if step == "give":
            body = str(number).encode()
            if len(live) == 5:
                with pytest.raises(NoPointError):
                    points.given(mine, body)
            else:
                live.append((points.given(mine, body), body))
        elif step == "take" and live:
            point, body = live.pop(0)
            assert points.place(mine, point) == body
            points.used(mine, point)
            used.append(point)
        elif step == "steal" and live:
            with pytest.raises(PointError):
                points.place(other, live[0][0])
        elif step == "repeat" and used:
            with pytest.raises(PointError):
                points.place(mine, used[-1])
        assert points.count(mine) == len(live)


def test_a_session_that_is_gone_takes_its_points_along() -> None:
    points, session = Points(), Session()
    points.given(session, b"x")
    del session
    assert not points._live
    with pytest.raises(PointError):
        points.place(Session(), b"short")


@given(st.builds(Place, st.integers(0, 2**62), st.integers(-1, 2**62), st.integers(0, 2**32 - 1), st.integers(0, 100), st.integers(0, 2**32 - 1), st.booleans()))  # fmt: skip
def test_a_place_survives_the_way(place: Place) -> None:
    assert Place.unpack(place.pack()) == place

"""Who may be in the columns and who may not, on a site that has both, and what both come to."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from scada.scan import build
from scada.scan.columns import LOOK_EVERY
from tags.model import Site
from tests.scan.loops import SECOND, Pair, loops

COUNT = 4


def with_block(path: str, **config: Any) -> Site:
    """Loops of which one block is another."""
    site = loops(COUNT)
    blocks = tuple(
        dataclasses.replace(block, config={**block.config, **config}) if block.path == path else block
        for block in site.blocks
    )
    return dataclasses.replace(site, blocks=blocks)


def with_tag(path: str, **fields: Any) -> Site:
    """Loops of which one tag is another."""
    site = loops(COUNT)
    tags = tuple(dataclasses.replace(tag, **fields) if tag.path == path else tag for tag in site.tags)
    return dataclasses.replace(site, tags=tags)


def ran(site: Site) -> Pair:
    """Both, for a while in which levels and set points move and people write."""
    pair = Pair(build(site))
    for n in range(LOOK_EVERY + 4):
        pair.echo()
        pair.set("u1/PV", 2.0 + 0.01 * n)
        pair.scan()
    for n in range(30):
        pair.set("u1/PV", 2.0 + 0.01 * n)
        requests = []
        if n % 10 == 0:
            requests = [
                pair.request("write", [("u0/LIC/SP", 2.0 + 0.05 * n)]),
                pair.request("write", [("u2/SPARE", 40 + n)], deadline_ns=SECOND // 2),
            ]
        pair.echo()
        pair.scan(requests)
    for _ in range(LOOK_EVERY):  # those that people wrote to come in again
        pair.echo()
        pair.scan()
    return pair


def test_all_come_in_and_objects_alone_are_none() -> None:
    pair = ran(loops(COUNT))
    assert pair.columns.columns.inside() == {"pid": COUNT, "interlock": COUNT, "output": 2 * COUNT}
    assert pair.objects.columns.inside() == {"pid": 0, "interlock": 0, "output": 0}


def test_a_controller_of_what_control_makes_itself_is_an_object_and_its_output_too() -> None:
    pair = ran(with_block("u1/LIC", pv="u0/LIC/SP"))
    assert pair.columns.columns.inside() == {"pid": COUNT - 1, "interlock": COUNT, "output": 2 * COUNT - 1}


@pytest.mark.parametrize(
    ("fields", "outside"),
    [({"type": "int16"}, 1), ({"limits": (5, 95)}, 1), ({"limits": None, "range": None}, 0), ({"owner": "shared"}, 1)],
)  # fmt: skip
def test_an_output_that_is_no_plain_number_is_an_object(fields: dict[str, Any], outside: int) -> None:
    pair = ran(with_tag("u2/SPARE", **fields))
    assert pair.columns.columns.inside() == {"pid": COUNT, "interlock": COUNT, "output": 2 * COUNT - outside}


def test_an_interlock_of_what_control_makes_itself_is_an_object() -> None:
    pair = ran(with_block("u1/LSHH", when="u0/LIC/SP > 4.5"))
    assert pair.columns.columns.inside()["interlock"] == COUNT - 1


def test_two_controllers_of_one_output_are_objects() -> None:
    pair = ran(with_block("u1/LIC", out="u0/OUT"))
    inside = pair.columns.columns.inside()
    assert inside["pid"] == COUNT - 2
    assert inside["output"] == 2 * COUNT - 1, "u1/OUT is nobody's, u0/OUT has two"

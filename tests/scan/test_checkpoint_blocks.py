"""A checkpoint has the state of every type of block: one that it forgot would show in the scans after it."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache

import orjson
import pytest

from scada.scan import checkpoint, record
from tests.blocks.test_every_block import Life, program


@pytest.mark.parametrize(("seed", "scans"), [(1, 1), (2, 40), (3, 150), (4, 220)])
def test_every_block_goes_on_after_a_checkpoint(seed: int, scans: int) -> None:
    life, other = Life(seed=seed), Life()
    life.run(scans)
    found = orjson.loads(orjson.dumps(checkpoint.dump(program(), life.state)))
    other.state = checkpoint.load(program(), found)
    other.utc_ns = life.utc_ns
    other.dice.setstate(life.dice.getstate())
    for _ in range(40):
        life.run(1)
        other.run(1)
        assert record.checksum(life.state) == record.checksum(other.state)
    left, right = checkpoint.dump(program(), life.state), checkpoint.dump(program(), other.state)
    assert checkpoint.differences(left, right) == []


def test_what_is_left_out_never_moves() -> None:
    """References to tags, expressions and other objects are of the program; nothing sets them while it runs."""
    life = Life()
    life.run(30)
    saved = checkpoint.dump(program(), life.state)["objects"]
    moved, seen = set(), 0
    for name, thing in checkpoint.Objects(life.state).by_name.items():
        for key, _ in checkpoint.members(thing):
            if key not in saved[name]:
                seen += 1
                moved |= {
                    f"{kind.__name__}.{key}" for kind in type(thing).__mro__ if key in _set_in_steps(kind)
                }
    assert seen > 100
    assert moved == set()


@cache
def _set_in_steps(kind: type) -> frozenset[str]:
    """Attributes that methods of a class set, but those that build it."""
    if kind.__module__ == "builtins":
        return frozenset()
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    return frozenset(
        node.attr
        for method in tree.body
        if isinstance(method, ast.FunctionDef) and method.name not in ("__init__", "link", "restored")
        for node in ast.walk(method)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    )

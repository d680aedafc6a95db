"""The complete state of a running program as JSON, and back: what a recording begins with.

`retain` keeps what must survive a restart; a checkpoint keeps everything, so that the scans after it are the same to
the bit. Nothing is listed here by name: the walk goes through the slots of every object that can be reached from
`State`, and `load` puts what it found into a fresh `State` of the same program, object by object. So state may lie
in the attributes of objects that a fresh `State` has, as numbers, texts, lists, tuples, dicts, sets, deques and
arrays of them. What a program is made of (tags, plans, functions) is not state and is left alone. Two words of a class
say more:

- `NOT_STATE`: names of attributes that only repeat what others say;
- `restored()`: called after a load, to make those again.

Objects that are born while the program runs are saved whole; their classes are named in `VALUES`.
"""

from __future__ import annotations

import dataclasses
import functools
import marshal
import math
import operator
import types
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from scada.blocks.base import Binder, Tick
from scada.requests import Entry, Item, Request
from scada.scan.bypasses import Bypass
from scada.scan.forces import Force
from scada.scan.program import Plan, Program
from scada.scan.state import State
from tags.model import Tag

VERSION: Final = 1
VALUES: Final[dict[str, type]] = {kind.__name__: kind for kind in (Bypass, Entry, Force, Item, Request, Tick)}
_AT_ONCE: Final = 40  # objects of one part of a checkpoint that is taken from a running scan

_PLAIN: Final = frozenset({type(None), bool, int, float, str})
_PROGRAM: Final = (
    types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType, type, Binder, Program,
    operator.itemgetter, operator.attrgetter, functools.partial,
)  # fmt: skip
_CONTAINERS: Final = (list, tuple, dict, set, frozenset, deque, array, np.ndarray, bytes, bytearray)
_INT_MAX: Final = 2**63


class CheckpointError(ValueError):
    """A state that cannot be saved, or a checkpoint that is not of this program."""


class _NotStateError(Exception):
    """Part of the program: made anew by `State`."""


# ---- the objects of a state -----------------------------------------------------------------------------------------


@functools.cache
def _attributes(kind: type) -> tuple[str, ...]:
    """Names of the slots of a class and those above it, without what is declared to be no state."""
    names: list[str] = []
    for one in kind.__mro__:
        slots = one.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else slots
    without = {"__weakref__", "__dict__", *getattr(kind, "NOT_STATE", ())}
    return tuple(sorted({name for name in names if name not in without}))


def members(thing: Any) -> Iterator[tuple[str, Any]]:
    """Attributes of an object, in a fixed order."""
    kind: Any = type(thing)
    for name in _attributes(kind):
        if hasattr(thing, name):
            yield name, getattr(thing, name)
    own = getattr(thing, "__dict__", None)
    if own:
        without = set(getattr(type(thing), "NOT_STATE", ()))
        for name in sorted(own.keys() - without):
            yield name, own[name]


def is_object(thing: Any) -> bool:
    """An object of ours that a fresh state has too: neither plain, nor a container, nor part of the program."""
    kind = type(thing)
    if kind in _PLAIN or isinstance(thing, (*_PROGRAM, *_CONTAINERS, np.generic)):
        return False
    if kind in VALUES.values():
        return False
    return not (dataclasses.is_dataclass(thing) and kind.__dataclass_params__.frozen)


class Objects:
    """The objects of a state by name.

    The names follow the tags and the places in the program, so that they say where a difference is, and so that the
    same object has the same name in every state of a program.

    Attributes:
        by_name: In a fixed order.
        root: By name: the path of the block that each is part of, or "".
    """

    def __init__(self, state: State) -> None:
        self.by_name: dict[str, Any] = {}
        self.root: dict[str, str] = {}
        self._names: dict[int, str] = {}
        for block in state.every_block:
            self._add(block, block.path, block.path)
        for output in state.every_output:
            self._add(output, f"output {output.plan.tag.path}", "")
        self._add(state, "state", "")
        for name in list(self.by_name):
            self._walk(name)

    def __contains__(self, thing: object) -> bool:
        return id(thing) in self._names

    def _add(self, thing: Any, name: str, root: str) -> None:
        self.by_name[name] = thing
        self.root[name] = root
        self._names[id(thing)] = name

    def _walk(self, name: str) -> None:
        todo = [(f"{name}.{key}", value) for key, value in members(self.by_name[name])]
        while todo:
            where, thing = todo.pop(0)
            if type(thing) in _PLAIN or id(thing) in self._names:
                continue
            if isinstance(thing, Mapping):
                todo += [(f"{where}[{key!r}]", value) for key, value in thing.items()]
            elif isinstance(thing, list | tuple | deque):
                todo += [(f"{where}[{n}]", value) for n, value in enumerate(thing)]
            elif is_object(thing):
                self._add(thing, where, self.root[name])
                todo += [(f"{where}.{key}", value) for key, value in members(thing)]


# ---- values ---------------------------------------------------------------------------------------------------------


def _as_json(values: list[Any]) -> bool:
    """True for a list that JSON takes as it is: the long ones are such, and a scan has no time to look at each value."""
    kinds = set(map(type, values))
    if not kinds <= _PLAIN:
        return False
    if float in kinds and not all(map(math.isfinite, [one for one in values if type(one) is float])):
        return False
    if int not in kinds:
        return True
    whole = [one for one in values if type(one) is int]
    return min(whole) >= -_INT_MAX and max(whole) < _INT_MAX


def _encode(value: Any, names: Objects) -> Any:
    """A value as JSON has it: an object with one key for whatever JSON does not know."""
    kind = type(value)
    if kind in _PLAIN:
        if kind is float and value - value != 0.0:
            return {"f": repr(value)}
        if kind is int and not -_INT_MAX <= value < _INT_MAX:
            return {"i": str(value)}
        return value
    if kind is list:
        return value.copy() if _as_json(value) else [_encode(one, names) for one in value]
    if kind is tuple:
        return {"t": [_encode(one, names) for one in value]}
    if kind in (dict, Counter):
        if _as_json([*value.keys(), *value.values()]):
            pairs = list(map(list, value.items()))
        else:
            pairs = [[_encode(k, names), _encode(v, names)] for k, v in value.items()]
        return {"d" if kind is dict else "c": pairs}
    if kind in (set, frozenset):
        found = sorted((_encode(one, names) for one in value), key=repr)
        return {"s" if kind is set else "z": found}
    if kind is deque:
        return {"q": [_encode(one, names) for one in value]}
    if kind is np.ndarray:
        return {"a": [value.dtype.str, list(value.shape), value.tobytes().hex()]}
    if kind is array:
        return {"y": [value.typecode, value.tobytes().hex()]}
    if kind in (bytes, bytearray):
        return {"b" if kind is bytes else "m": value.hex()}
    if kind is Tag:
        return {"T": value.path}
    if kind is Plan:
        return {"P": value.row}
    if kind.__name__ in VALUES and VALUES[kind.__name__] is kind:
        return {"o": kind.__name__, "v": {name: _encode(one, names) for name, one in members(value)}}
    if isinstance(value, _PROGRAM):
        raise _NotStateError
    if is_object(value):
        if value not in names:
            raise CheckpointError(f"{kind.__name__} is not in `checkpoint.VALUES`")
        raise _NotStateError  # who knows whom is the program's
    if dataclasses.is_dataclass(value):
        raise _NotStateError
    raise CheckpointError(f"a state may not hold a {kind.__module__}.{kind.__name__}")


class _Decoder:
    """The inverse of `_encode` for one program and state."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def value(self, found: Any) -> Any:
        """The value; raises `KeyError`, `TypeError`, `ValueError` or `IndexError` when it is none."""
        if type(found) is list:
            return [self.value(one) for one in found]
        if type(found) is not dict:
            return found
        if "o" in found:
            return self._object(VALUES[found["o"]], found["v"])
        ((kind, inner),) = found.items()
        match kind:
            case "f":
                return float(inner)
            case "i":
                return int(inner)
            case "t":
                return tuple(self.value(one) for one in inner)
            case "d" | "c":
                pairs = {self.value(k): self.value(v) for k, v in inner}
                return pairs if kind == "d" else Counter(pairs)
            case "s" | "z":
                members = {self.value(one) for one in inner}
                return members if kind == "s" else frozenset(members)
            case "q":
                return deque(self.value(one) for one in inner)
            case "a":
                data = np.frombuffer(bytes.fromhex(inner[2]), np.dtype(inner[0]))
                return data.reshape(inner[1]).copy()
            case "y":
                return array(inner[0], bytes.fromhex(inner[1]))
            case "b":
                return bytes.fromhex(inner)
            case "m":
                return bytearray.fromhex(inner)
            case "T":
                return self._program.tags[inner]
            case "P":
                return self._program.outputs[inner]
        raise ValueError(f"unknown mark {kind!r}")

    def _object(self, kind: type, members: Mapping[str, Any]) -> Any:
        made: Any = object.__new__(kind)
        for name, one in members.items():
            object.__setattr__(made, name, self.value(one))
        return made


def put(thing: Any, name: str, value: Any) -> None:
    """Sets an attribute; a container stays the one that others may know too."""
    there = getattr(thing, name, None)
    if type(there) is type(value) and there is not None:
        if isinstance(value, list | bytearray | array):
            there[:] = value
            return
        if isinstance(value, dict | set):
            there.clear()
            there.update(value)
            return
        if isinstance(value, deque):
            there.clear()
            there.extend(value)
            return
        if isinstance(value, np.ndarray) and there.shape == value.shape and there.dtype == value.dtype:
            there[...] = value
            return
    setattr(thing, name, value)


# ---- the whole ------------------------------------------------------------------------------------------------------


def dump(program: Program, state: State) -> dict[str, Any]:
    """Everything that changes, as JSON.

    Args:
        program: What runs.
        state: Between two scans.

    Returns:
        `{"version", "digest", "scan", "objects": {name: {attribute: value}}}`. Two states of one program are the same
        when these are equal.

    Raises:
        CheckpointError: The state holds something that cannot be saved.
    """
    state.settle()
    objects = Objects(state)
    found = {name: _members_of(name, thing, objects) for name, thing in objects.by_name.items()}
    return {**head(program, state), "objects": found}


def head(program: Program, state: State) -> dict[str, Any]:
    """What a checkpoint is of."""
    return {"version": VERSION, "digest": program.site.digest, "scan": state.scans}


def _members_of(where: str, thing: Any, objects: Objects) -> dict[str, Any]:
    found = {}
    for name, value in members(thing):
        try:
            found[name] = _encode(value, objects)
        except _NotStateError:
            continue
        except CheckpointError as error:
            raise CheckpointError(f"{where}.{name}: {error}") from None
    return found


def load(program: Program, found: Mapping[str, Any]) -> State:
    """The state that `dump` saw: the scans from here on are the same to the bit.

    Args:
        program: Of the same site and the same version of this software.
        found: From `dump`.

    Raises:
        CheckpointError: It is of another program, or damaged.
    """
    if found.get("version") != VERSION:
        raise CheckpointError(f"a checkpoint of version {found.get('version')}; this is version {VERSION}")
    state = State(program)
    objects = Objects(state).by_name
    decoder = _Decoder(program)
    saved = found["objects"]
    missing = sorted(set(saved) ^ set(objects))
    if missing:
        raise CheckpointError(f"the checkpoint is of another program: {missing[0]} is only in one of them")
    for name, members in saved.items():
        thing = objects[name]
        for attribute, value in members.items():
            try:
                put(thing, attribute, decoder.value(value))
            except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
                raise CheckpointError(
                    f"{name}.{attribute} of the checkpoint cannot be read: {error}"
                ) from None
    for thing in objects.values():
        again: Callable[[], None] | None = getattr(thing, "restored", None)
        if again is not None:
            again()
    return state


def differences(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Where two dumps of one program differ: (place, left, right), in order."""
    one, other = left["objects"], right["objects"]
    return [
        (f"{name}.{key}", one.get(name, {}).get(key), other.get(name, {}).get(key))
        for name in dict.fromkeys([*one, *other])
        for key in dict.fromkeys([*one.get(name, {}), *other.get(name, {})])
        # As text: -0.0 is not 0.0, and 1 is not True.
        if repr(one.get(name, {}).get(key)) != repr(other.get(name, {}).get(key))
    ]


def _copied(value: Any) -> bool:
    """`marshal` gives it back as it was; an array it would turn into bytes."""
    kind = type(value)
    if kind in _PLAIN:
        return True
    if kind is dict:
        return all(_copied(key) and _copied(one) for key, one in value.items())
    return kind in (list, tuple, set, frozenset) and all(_copied(one) for one in value)


class Taker:
    """Takes checkpoints of a state that runs: the copy at once, in C; the text of it bit by bit in the scans after it.

    Args:
        program: What runs.
        state: Before its first scan, as `start` made it.

    Raises:
        CheckpointError: The state holds something that cannot be saved.
    """

    def __init__(self, program: Program, state: State) -> None:
        self._program, self._state = program, state
        self._objects = Objects(state)
        self._things = list(self._objects.by_name.items())
        self._plans = [self._plan(thing) for _, thing in self._things]

    def _plan(self, thing: Any) -> tuple[tuple[str, ...], Callable[[Any], Any], tuple[str, ...]]:
        """Names of attributes that are copied as they are, how, and the names of the others."""
        plain: list[str] = []
        other: list[str] = []
        for name, value in members(thing):
            try:
                _encode(value, self._objects)
            except _NotStateError:
                continue
            except ValueError:
                other.append(name)
            else:
                (plain if _copied(value) else other).append(name)
        get = operator.attrgetter(*plain, plain[0]) if plain else lambda _: ()
        return tuple(plain), get, tuple(other)

    def take(self) -> Iterator[dict[str, Any]]:
        """Copies the state now.

        Returns:
            The parts of its dump, made as they are asked for: each with some of the `objects`; `merge` joins them.

        Raises:
            CheckpointError: The state holds something that cannot be saved.
        """
        self._state.settle()
        things, plans = self._things, self._plans
        copies, others = [], []
        for at in range(0, len(things), _AT_ONCE):
            part = things[at : at + _AT_ONCE]
            mine = plans[at : at + _AT_ONCE]
            try:
                copies.append(
                    marshal.dumps([plan[1](thing) for (_, thing), plan in zip(part, mine, strict=True)], 2)
                )
            except ValueError:  # something plain became something else
                mine = plans[at : at + _AT_ONCE] = [self._plan(thing) for _, thing in part]
                copies.append(
                    marshal.dumps([plan[1](thing) for (_, thing), plan in zip(part, mine, strict=True)], 2)
                )
            others.append(
                [
                    self._others(thing, plan[2]) if plan[2] else {}
                    for (_, thing), plan in zip(part, mine, strict=True)
                ]
            )
        return self._parts(head(self._program, self._state), copies, others, list(plans))

    def _others(self, thing: Any, names: Sequence[str]) -> dict[str, Any]:
        found = {}
        for name in names:
            try:
                found[name] = _encode(getattr(thing, name), self._objects)
            except _NotStateError:
                continue
        return found

    def _parts(
        self, top: dict[str, Any], copies: list[bytes], others: list[list[dict[str, Any]]], plans: list[Any]
    ) -> Iterator[dict[str, Any]]:
        for n, copied in enumerate(copies):
            at = n * _AT_ONCE
            objects = {}
            rows = zip(
                self._things[at : at + _AT_ONCE],
                marshal.loads(copied),  # noqa: S302 - made a few scans ago by ourselves
                plans[at : at + _AT_ONCE],
                others[n],
                strict=True,
            )
            for (name, _), values, plan, rest in rows:
                plain = dict(zip(plan[0], values, strict=False))  # the getter doubles the first
                objects[name] = {key: _encode(value, self._objects) for key, value in plain.items()} | rest
            yield {**top, "part": n, "parts": len(copies), "objects": objects}


def merge(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One dump from all its parts.

    Raises:
        CheckpointError: Parts are missing, or of several checkpoints.
    """
    first = parts[0]
    of = {(part["scan"], part["digest"], part["parts"]) for part in parts}
    if len(of) != 1 or [part["part"] for part in parts] != list(range(first["parts"])):
        raise CheckpointError("parts of the checkpoint are missing")
    objects: dict[str, Any] = {}
    for part in parts:
        objects |= part["objects"]
    return {"version": first["version"], "digest": first["digest"], "scan": first["scan"], "objects": objects}

"""What came of plant tests, in words, as JSON and as JUnit XML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from scada.planttest import texts
from scada.planttest.run import Result
from scada.planttest.search import FAIL, FIND, LOSE, MEND, RESTART, WRITE, Found, Happened
from tags.model import Site, Tag

Outcome = Result | Found


def lines(outcome: Outcome, tags: Mapping[str, Tag]) -> list[str]:
    """One outcome for a terminal; the first line says passed or FAILED."""
    if isinstance(outcome, Found):
        return _found(outcome, tags)
    head = f"{'passed' if outcome.passed else 'FAILED'}  {outcome.place.file}: {outcome.name}"
    said = [head]
    for failure in outcome.failures:
        said.append(f"    {failure}")
        if failure.changes:
            said.append("        last changes:")
            said += [f"          {change}" for change in failure.changes]
    return said


def _found(found: Found, tags: Mapping[str, Tag]) -> list[str]:
    invariant = found.invariant
    head = f"{'passed' if found.passed else 'FAILED'}  {invariant.place.file}: {invariant.name}"
    simulated = f"{found.time_ns / 3.6e12:.1f} h"
    if found.passed:
        return [
            f"{head} (not broken by {found.tried} sequences, {simulated} of the plant, seed {found.seed})"
        ]
    check = invariant.check
    said = [
        head,
        f"    {check.place}: at {texts.time(found.broken_ns)} expected {check.subject}, {found.values}",
        f"        broken by sequence {found.tried} (seed {found.seed}); the shortest that does it:",
    ]
    said += [f"          {line}" for line in moves(found, tags)]
    if found.changes:
        said.append("        last changes:")
        said += [f"          {change}" for change in found.changes]
    return said


def moves(found: Found, tags: Mapping[str, Tag]) -> list[str]:
    """The shortest sequence, a line each."""
    said = [f"{texts.time(one.time_ns)}  {_move(one, found, tags)}" for one in found.moves]
    return said or ["nothing has to happen"]


def _move(happened: Happened, found: Found, tags: Mapping[str, Tag]) -> str:
    move = happened.move
    tag = tags.get(move.path)
    if move.kind == FAIL:
        return f"the measurement {move.path} fails"
    if move.kind == MEND:
        return f"the measurement {move.path} is back"
    if move.kind in (LOSE, FIND):
        return f"the connection to {move.path} is {'lost' if move.kind == LOSE else 'back'}"
    if move.kind == RESTART:
        return "control starts again"
    value = texts.value(tag, move.value)
    if move.kind == WRITE:
        outcome = f": {happened.outcome}" if happened.outcome else ""
        return f"{found.invariant.role} writes {move.path} = {value}{outcome}"
    unit = f" {tag.unit}" if tag is not None and tag.unit else ""
    speed = f" at {move.rate:.6g}{unit}/s" if move.rate else ""
    return f"{move.path} goes to {value}{speed}"


def summary(outcomes: Sequence[Outcome]) -> str:
    """The last line."""
    failed = sum(not outcome.passed for outcome in outcomes)
    hours = sum(outcome.time_ns for outcome in outcomes) / 3.6e12
    plural = "s" if len(outcomes) != 1 else ""
    said = (
        f"{len(outcomes)} test{plural}, {failed} failed" if failed else f"{len(outcomes)} test{plural} passed"
    )
    return f"{said}; {hours:.2f} h of the plant"


def as_json(site: Site, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All outcomes."""
    tags = site.by_path()
    return {
        "site": site.name,
        "passed": all(outcome.passed for outcome in outcomes),
        "tests": [_json(outcome, tags) for outcome in outcomes],
    }


def _json(outcome: Outcome, tags: Mapping[str, Tag]) -> dict[str, Any]:
    name, place = _named(outcome)
    common = {
        "name": name,
        "file": place.file,
        "line": place.line,
        "passed": outcome.passed,
        "simulated_s": outcome.time_ns / 1e9,
    }
    if isinstance(outcome, Found):
        return {
            **common,
            "tried": outcome.tried,
            "seed": outcome.seed,
            "broken_s": None if outcome.passed else outcome.broken_ns / 1e9,
            "moves": [] if outcome.passed else moves(outcome, tags),
        }
    failures = [
        {
            "file": failure.place.file,
            "line": failure.place.line,
            "column": failure.place.column,
            "at_s": failure.time_ns / 1e9,
            "message": failure.text,
            "changes": list(failure.changes),
        }
        for failure in outcome.failures
    ]
    return {**common, "failures": failures}


def _named(outcome: Outcome) -> tuple[str, Any]:
    one = outcome.invariant if isinstance(outcome, Found) else outcome
    return one.name, one.place


def junit(site: Site, outcomes: Sequence[Outcome]) -> str:
    """JUnit XML, as build servers read it; times are those of the plant."""
    tags = site.by_path()
    failed = sum(not outcome.passed for outcome in outcomes)
    total = sum(outcome.time_ns for outcome in outcomes) / 1e9
    said = [
        '<?xml version="1.0" encoding="utf-8"?>',
        (
            f'<testsuites><testsuite name={quoteattr(site.name)} tests="{len(outcomes)}" failures="{failed}" errors="0" '
            f'skipped="0" time="{total:.3f}">'
        ),
    ]
    for outcome in outcomes:
        name, place = _named(outcome)
        head = (
            f"<testcase name={_attribute(name)} classname={_attribute(place.file)} file={_attribute(place.file)} "
            f'line="{place.line}" time="{outcome.time_ns / 1e9:.3f}"'
        )
        if outcome.passed:
            said.append(f"{head}/>")
            continue
        text = lines(outcome, tags)
        message = text[1].strip() if len(text) > 1 else "failed"
        said.append(
            f"{head}><failure message={_attribute(message)}>{escape(_clean(chr(10).join(text)))}</failure></testcase>"
        )
    said.append("</testsuite></testsuites>")
    return "\n".join(said) + "\n"


def _attribute(text: str) -> str:
    return quoteattr(_clean(text))


def _clean(text: str) -> str:
    """Without the control characters that XML 1.0 cannot hold."""
    return "".join(mark if mark in "\t\n" or mark >= " " else "\ufffd" for mark in text)

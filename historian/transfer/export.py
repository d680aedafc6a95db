"""Export: samples of some tags into one file, bounded in memory, to be gone on with after an interruption.

While it is written the file is called `<name>.part`, and `<name>.export` beside it says how far it has come: what is there is
on the disk up to that place. A repeated call with the same question goes on from it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from historian.store import StoreError, TagEntry
from historian.transfer import formats
from historian.transfer.files import write_json
from historian.transfer.source import Block, Place, Readable, blocks
from scada.datadir import flush_folder

BLOCK: Final = 250_000  # samples in memory
SAVE: Final = 2_000_000  # samples between two places to go on from

Progress = Callable[[float, int], None]


class Question(NamedTuple):
    """What is exported.

    Attributes:
        tags: In this order.
        start_ns: UTC, ns.
        end_ns: UTC, ns; not included.
        kind: Of the file.
        words: What a person asked for; the same words go on with what was left, also when `now` has become later.
        measurement: Of the line protocol.
        originals: Samples as they were stored, without edits.
    """

    tags: Sequence[TagEntry]
    start_ns: int
    end_ns: int
    kind: str
    words: Mapping[str, Any]
    measurement: str = formats.MEASUREMENT
    originals: bool = False


class Exported(NamedTuple):
    """What came of it.

    Attributes:
        samples: Written, by path; only tags that had any.
        counted: Samples in the file, counted from the disk.
        size: Bytes of the file.
        start_ns: Of the range, UTC, ns.
        end_ns: Of the range, UTC, ns.
        resumed: Samples that were there from an earlier call.
    """

    samples: dict[str, int]
    counted: int
    size: int
    start_ns: int
    end_ns: int
    resumed: int


def state_of(target: Path) -> Path:
    """Where an export that is not done says how far it has come."""
    return target.with_name(target.name + ".export")


def export(
    store: Readable,
    question: Question,
    target: Path,
    progress: Progress = lambda _share, _samples: None,
    *,
    anew: bool = False,
    replace: bool = False,
) -> Exported:
    """Writes a file.

    Args:
        store: Open for reading; it may be written meanwhile.
        question: What to write.
        target: The file.
        progress: Told the share that is done, 0 … 1, and the samples.
        anew: Forget what an earlier call has left.
        replace: Put it in the place of a file that is there.

    Raises:
        StoreError: The target is there, an earlier call has left another question's part, the store cannot be read, or
            the file does not hold as many samples as were written.
        OSError: The disk does not let it.
    """
    state = None if anew else _left(target)
    if state is not None and state["words"] != question.words:
        raise StoreError(
            f"{state_of(target)} is of an export that was not finished and asked for something else: "
            f"{_said(state['words'])}. Ask the same to go on with it, or give --anew"
        )
    if state is not None and state["finishing"] and target.exists():  # it was cut off after the last step
        _tidy(target)
        return _result(state, target, sum(state["samples"].values()))
    if target.exists() and not replace:
        raise StoreError(f"{target} is there already. Choose another name, or give --replace")
    question = _continued(question, state)
    samples: dict[str, int] = dict(state["samples"]) if state else {}
    place = Place(*state["place"]) if state else Place()
    file = formats.writer(
        question.kind, target, state["file"] if state else None, measurement=question.measurement
    )
    try:
        since = 0

        def save(*, finishing: bool = False) -> dict[str, Any]:
            document = {
                "words": question.words,
                "tags": [list(tag) for tag in question.tags],
                "range": [question.start_ns, question.end_ns],
                "place": list(place),
                "samples": samples,
                "resumed": sum(state["samples"].values()) if state else 0,
                "file": file.sync(),
                "finishing": finishing,
            }
            write_json(state_of(target), document)
            return document

        save()
        for block in blocks(
            store,
            question.tags,
            question.start_ns,
            question.end_ns,
            place,
            BLOCK,
            originals=question.originals,
        ):
            file.write(block.tag, block.samples)
            samples[block.tag.path] = samples.get(block.tag.path, 0) + len(block.samples)
            place, since = block.next, since + len(block.samples)
            progress(_share(question, block), sum(samples.values()))
            if since >= SAVE:
                save()
                since = 0
        place = Place(len(question.tags))
        target.unlink(missing_ok=True)
        state = save(finishing=True)
        counted = file.finish(target)
        flush_folder(target.parent)
    finally:
        file.close()
    if counted != sum(samples.values()):
        raise StoreError(f"{target} holds {counted} samples, but {sum(samples.values())} were written")
    _tidy(target)
    progress(1.0, counted)
    return _result(state, target, counted)


def _left(target: Path) -> dict[str, Any] | None:
    """What an earlier call has left."""
    try:
        state: dict[str, Any] = orjson.loads(state_of(target).read_bytes())
    except FileNotFoundError:
        return None
    except orjson.JSONDecodeError:
        raise StoreError(f"{state_of(target)} cannot be read. Give --anew to begin anew") from None
    return state


def _continued(question: Question, state: Mapping[str, Any] | None) -> Question:
    if state is None:
        return question
    start_ns, end_ns = state["range"]
    return question._replace(tags=[TagEntry(*tag) for tag in state["tags"]], start_ns=start_ns, end_ns=end_ns)


def _result(state: Mapping[str, Any], target: Path, counted: int) -> Exported:
    start_ns, end_ns = state["range"]
    size = target.stat().st_size
    return Exported(dict(state["samples"]), counted, size, start_ns, end_ns, state["resumed"])


def _tidy(target: Path) -> None:
    state_of(target).unlink(missing_ok=True)
    shutil.rmtree(target.with_name(target.name + ".parts"), ignore_errors=True)


def _share(question: Question, block: Block) -> float:
    """Of the whole, as far as it can be known: tags, and time within the tag."""
    done = float(block.next.tag)
    if block.next.t is not None and question.end_ns > question.start_ns:
        done += (block.next.t - question.start_ns) / (question.end_ns - question.start_ns)
    return min(1.0, done / max(1, len(question.tags)))


def _said(words: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in words.items())

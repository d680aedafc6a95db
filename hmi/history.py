"""The routes of history: a trend for a screen; samples, values at times, intervals and grids for everybody else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Final, TypeVar

from fastapi import FastAPI, HTTPException, Query, Response

from hmi import history_models, models, questions
from hmi.past import Past
from hmi.times import FORMS, LENGTHS, length, moment
from scada.client import AGGREGATES, OPCUA_NAMES, SHIFTS, BusyError, Client, Cursor, NotRunning, StoreError
from scada.clock import Clock
from tags.model import Tag

POINTS_MAX: Final = 4000
SAMPLES_MAX: Final = 100_000
TIMES_MAX: Final = 1000
INTERVALS_MAX: Final = 20_000
CELLS_MAX: Final = 200_000
GRID_TAGS_MAX: Final = 100
EVENTS_MAX: Final = 5000

T = TypeVar("T")
Start = Annotated[str, Query(max_length=40, description=FORMS)]
End = Annotated[str, Query(max_length=40, description="as start")]
Uncertain = Annotated[bool, Query(description="calculate with Uncertain samples too")]


def add_history(app: FastAPI, client: Client, past: Past, clock: Clock) -> None:
    """Adds the routes.

    Args:
        app: To this application.
        client: Of the running plant; knows the tags.
        past: Who is asked.
        clock: For times before now.
    """
    zone = client.site.timezone

    def when(*texts: str) -> list[int]:
        """Times of one question: all of them from the same now."""
        now = clock.utc_ns()
        return [_understood(moment, text, now, zone) for text in texts]

    def between(start: str, end: str) -> tuple[int, int]:
        first, last = when(start, end)
        if last <= first:
            raise HTTPException(422, "end must be after start")
        return first, last

    def tag_of(path: str) -> Tag:
        if path not in client.tags:
            raise HTTPException(404, f"there is no tag {path!r}")
        return client.tags[path]

    async def ask(question: Callable[[Client], bytes]) -> Response:
        return Response(await _answered(past.ask(question)), media_type="application/json")

    @app.get("/api/history/{path:path}")
    async def history(
        path: str,
        start: Start,
        end: End = "now",
        points: Annotated[int, Query(description="width in pixels", ge=10, le=POINTS_MAX)] = 800,
    ) -> models.History:
        """A tag's past for a trend: per pixel the first, lowest, highest and last value; null is a gap."""
        tag, (first, last) = tag_of(path), between(start, end)
        return await _answered(past.trend(tag, first, last, points))

    @app.get("/api/alarms/events")
    async def alarm_events(
        start: Start = "-24h",
        end: End = "now",
        limit: Annotated[int, Query(ge=1, le=EVENTS_MAX)] = 500,
        alarm: Annotated[str, Query(max_length=256, description="of this alarm only")] = "",
        people: Annotated[bool, Query(description="only what people did")] = False,
    ) -> models.AlarmEvents:
        """What happened to alarms and who did what with them, the newest first."""
        first, last = between(start, end)
        every = EVENTS_MAX if alarm or people else limit
        found = await _answered(past.alarms(first, last, every + 1))
        told = [
            event
            for event in reversed(found)
            if (not alarm or event.get("path") == alarm) and (not people or event.get("user"))
        ]
        more = len(told) > limit or len(found) > every
        return models.AlarmEvents(events=[alarm_event(event) for event in told[:limit]], more=more)

    @app.get("/api/samples/{path:path}", response_model=history_models.Samples)
    async def samples(
        path: str,
        start: Start,
        end: End = "now",
        limit: Annotated[int, Query(ge=1, le=SAMPLES_MAX)] = 10_000,
        cursor: Annotated[str | None, Query(max_length=60, description="`next` of the page before")] = None,
        bounds: Annotated[bool, Query(description="with the samples at or beyond both ends")] = False,
        originals: Annotated[bool, Query(description="as stored, before anybody corrected them")] = False,
    ) -> Response:
        """Stored samples with start <= t < end, page by page; newest first when the end is before the start."""
        tag, (first, last) = tag_of(path), when(start, end)
        place = None if cursor is None else _understood(Cursor.parse, cursor)
        return await ask(
            lambda c: questions.samples(c, tag, first, last, limit, place, bounds=bounds, originals=originals)
        )

    @app.get("/api/at/{path:path}", response_model=history_models.Moments)
    async def at(
        path: str,
        t: Annotated[
            list[Annotated[str, Query(max_length=40)]], Query(max_length=TIMES_MAX, description=FORMS)
        ],
        uncertain: Uncertain = False,
        bridge: Annotated[bool, Query(description="interpolate over gaps")] = False,
    ) -> Response:
        """What a tag was at given times: stored, interpolated or held, by its kind; null in a gap."""
        tag, times = tag_of(path), when(*t)
        return await ask(lambda c: questions.moments(c, tag, times, uncertain=uncertain, bridge=bridge))

    @app.get("/api/intervals/{path:path}", response_model=history_models.Intervals)
    async def intervals(
        path: str,
        aggregate: Annotated[str, Query(max_length=60, description="see /api/aggregates")],
        start: Start,
        every: Annotated[str, Query(max_length=40, description=LENGTHS)],
        end: End = "now",
        shifts: Annotated[str, Query(max_length=200, description="when shifts begin")] = ",".join(SHIFTS),
        origin: Annotated[
            str | None,
            Query(max_length=40, description="lengths are counted from here; the start by default"),
        ] = None,
        state: Annotated[float | None, Query(description="for time-in-state: the state's number")] = None,
        roll_over: Annotated[
            float | None, Query(description="for counter: where it starts again from 0")
        ] = None,
        uncertain: Uncertain = False,
    ) -> Response:
        """One value for each interval: averages, totals, extremes, counters, durations."""
        tag, (first, last), span = tag_of(path), between(start, end), _understood(length, every)
        if isinstance(span, int) and (last - first) / max(span, 1) > INTERVALS_MAX:
            raise HTTPException(422, f"more than {INTERVALS_MAX} intervals; ask for longer ones")
        more: dict[str, Any] = {
            "shifts": [text.strip() for text in shifts.split(",")],
            "uncertain": uncertain,
            "state": state,
            "roll_over": roll_over,
            "origin_ns": None if origin is None else when(origin)[0],
        }
        return await ask(lambda c: questions.intervals(c, tag, aggregate, first, last, span, **more))

    @app.get("/api/grid", response_model=history_models.Grid)
    async def grid(
        tag: Annotated[list[str], Query(max_length=GRID_TAGS_MAX, description="path; several times")],
        start: Start,
        every: Annotated[str, Query(max_length=40, description="10min, 1h, … or ms")],
        end: End = "now",
        uncertain: Uncertain = False,
    ) -> Response:
        """Several tags at the same times: at the start and each step after it, before the end."""
        tags, (first, last), step = (
            [tag_of(path) for path in tag],
            between(start, end),
            _understood(length, every),
        )
        if isinstance(step, str):
            raise HTTPException(422, "a grid has steps of one length, such as 10min")
        if step <= 0 or (last - first) // step * len(tags) > CELLS_MAX:
            raise HTTPException(422, f"more than {CELLS_MAX} values; ask for longer steps or fewer tags")
        times = range(first, last, step)
        return await ask(lambda c: questions.grid(c, tags, times, uncertain=uncertain))

    @app.get("/api/aggregates")
    async def aggregates() -> history_models.AggregateList:
        """The aggregates that `/api/intervals` knows."""
        found = [history_models.AggregateInfo(name=name, opcua=OPCUA_NAMES.get(name)) for name in AGGREGATES]
        return history_models.AggregateList(aggregates=found)


def alarm_event(event: Mapping[str, Any]) -> models.AlarmEvent:
    """An event of an alarm as the page has it; those of older versions say less."""
    before, after = int(event.get("from", 0)), int(event.get("to", 0))
    until = event.get("until")
    return models.AlarmEvent(
        t_ms=event["t"] // 1_000_000,
        path=str(event.get("path", "")),
        action=str(event.get("action", "")),
        before=before,
        after=after,
        priority=str(event.get("priority", "medium")),
        message=str(event.get("message", "")),
        value=event.get("value"),
        user=str(event.get("user", "")),
        source=str(event.get("source", "")),
        comment=str(event.get("comment", "")),
        until_ms=until // 1_000_000 if isinstance(until, int) else None,
    )


def _understood(read: Callable[..., T], *arguments: Any) -> T:
    try:
        return read(*arguments)
    except ValueError as error:
        raise HTTPException(422, str(error)) from error


async def _answered(answer: Awaitable[T]) -> T:
    """Waits; what is wrong with the question is 422, what is wrong with the store 503."""
    try:
        return await answer
    except (BusyError, StoreError, NotRunning) as error:
        raise HTTPException(503, str(error)) from error
    except ValueError as error:
        raise HTTPException(422, str(error)) from error

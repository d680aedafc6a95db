"""pydantic's findings as problems of a site: place, what is wrong, what to do."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tags.site.problems import Problems
from tags.site.sources import Source
from tags.units import did_you_mean

M = TypeVar("M", bound=BaseModel)
KEYS_SHOWN = 12


def validate(
    model: type[M], data: Any, source: Source, subject: str, problems: Problems, context: Any = None
) -> M | None:
    """The model of some data, or None with all that is wrong reported.

    Args:
        model: What it should be.
        data: Plain data.
        source: Where it came from.
        subject: Named in front of each message.
        problems: Takes what is wrong.
        context: For validators that need to know where they are.
    """
    try:
        return model.model_validate(data, context=context)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            loc = tuple(found["loc"])
            kind = found["type"]
            place = (
                source.place(loc[:-1], key=True)
                if kind == "missing"
                else source.place(loc, key=kind == "extra_forbidden")
            )
            problems.add(place, f"{subject}: {_text(model, found, loc)}")
    return None


def _text(model: type[BaseModel], found: Any, loc: tuple[Any, ...]) -> str:
    kind, value = found["type"], found["input"]
    name = ".".join(str(part) for part in loc)
    if kind == "missing":
        return f"{name} is missing. Write {loc[-1]}: and its value."
    if kind == "extra_forbidden":
        return unknown_key(str(loc[-1]), keys_at(model, loc[:-1]))
    if kind == "value_error":
        text = str(found["ctx"]["error"])
        return f"{name}: {text}" + ("" if text.endswith((".", "?")) else ".")
    if kind == "literal_error":
        expected = str(found["ctx"]["expected"]).replace("'", "").replace(" or ", ", ")
        hint = did_you_mean(str(value), expected.split(", "))
        return f"{name}: {value!r} is not one of {expected}{hint or '.'}"
    if kind in ("too_short", "too_long"):
        side = "at least" if kind == "too_short" else "at most"
        bound = found["ctx"]["min_length" if kind == "too_short" else "max_length"]
        return f"{name}: there must be {side} {bound} in it, not {found['ctx']['actual_length']}. Correct it."
    wants = {
        "string_type": "is not a text. Put it in quotes.",
        "bool_type": "is not true or false.",
        "int_type": "is not a whole number.",
        "float_type": "is not a number.",
        "float_parsing": "is not a number.",
        "list_type": "is not a list. Write [one, two].",
        "tuple_type": "is not a list. Write [one, two].",
        "dict_type": "has no keys below it. Write key: value lines, indented.",
        "model_type": "has no keys below it. Write key: value lines, indented.",
    }
    bounds = {"less_than_equal": ("above", "le"), "greater_than_equal": ("below", "ge")}
    if kind in bounds:
        side, key = bounds[kind]
        return f"{name}: {value!r} is {side} {found['ctx'][key]}. Correct it."
    if kind in wants:
        return f"{name}: {value!r} {wants[kind]}"
    return f"{name}: {found['msg'][0].lower()}{found['msg'][1:]}."


def unknown_key(key: str, known: list[str], what: str = "key") -> str:
    """What to say about a key (or parameter …) that there is not."""
    hint = did_you_mean(key, known)
    if hint:
        return f"unknown {what} {key!r}{hint}"
    if 0 < len(known) <= KEYS_SHOWN:
        return f"unknown {what} {key!r}. There are {', '.join(known)}."
    return f"unknown {what} {key!r}. Leave it out, or correct it."


def keys_at(model: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    """Names of the keys that a model has at a place inside it."""
    current: Any = model
    for part in loc:
        if isinstance(current, type) and issubclass(current, BaseModel):
            fields = {info.alias or name: info for name, info in current.model_fields.items()}
            current = _model_in(fields[part].annotation) if part in fields else None
        # a name inside a dict of models: stay with its model
    if isinstance(current, type) and issubclass(current, BaseModel):
        return [info.alias or name for name, info in current.model_fields.items()]
    return []


def _model_in(annotation: Any) -> Any:
    """The model inside an annotation such as `X | None` or `dict[str, X]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_in(argument)
        if found is not None:
            return found
    return None

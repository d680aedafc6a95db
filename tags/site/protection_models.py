"""What may be written about blocks whose points depend on what is written: the cause-and-effect matrix, own blocks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from tags.site.control_models import Block, BlockAlarm, Bypass
from tags.site.fields import Condition, Duration, Model, Plain
from tags.types import BOOL, INT32

_NO_YES: Final = {"0": "No", "1": "Yes"}
CAUSE_STATES: Final = {
    "0": "Normal",
    "1": "Delayed",
    "2": "Active",
    "3": "Latched",
    "4": "Bypassed",
    "5": "Bypassed, present",
}


class Free(Block):
    """A block that names its points itself."""

    @abstractmethod
    def texts(self) -> Iterator[str]:
        """Its expressions."""

    @abstractmethod
    def point_names(self) -> tuple[str, ...]:
        """Its points."""

    @abstractmethod
    def point_fields(self, name: str) -> dict[str, Any]:
        """Fields of a point's tag; `what` goes behind the block's description."""


def _trips(data: Any) -> Any:
    return dict.fromkeys(data, "0 s") if isinstance(data, list) else data


def _bypass(data: Any) -> Any:
    return None if data is False else data


class Cause(Model):
    """What trips, and what it trips."""

    when: Condition
    for_: Duration = Field(default=0, alias="for")
    reset: Literal["auto", "manual"] = "auto"
    trips: Annotated[
        dict[str, Duration],
        BeforeValidator(_trips),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "array", "items": {"type": "string"}},
                    {"type": "object", "additionalProperties": {"type": "string"}},
                ],
                "description": "Effects, or effects with the delay of each: {pumps: 0 s, inlet: 10 s}.",
            }
        ),
    ]
    description: str = ""
    bypass: Annotated[
        Bypass | None,
        BeforeValidator(_bypass),
        WithJsonSchema({"anyOf": [{"$ref": "#/$defs/Bypass"}, {"const": False}]}),
    ] = None
    alarm: BlockAlarm = BlockAlarm(priority="high")


class Effect(Model):
    """What is held or stopped."""

    target: str | None = None
    value: Plain = None
    reset: Literal["auto", "manual"] = "manual"
    description: str = ""


class CauseEffect(Free):
    """Cause-and-effect matrix."""

    block: Literal["cause_effect"]
    causes: Annotated[dict[str, Cause], Field(min_length=1, max_length=256)]
    effects: Annotated[dict[str, Effect], Field(min_length=1, max_length=256)]
    bypass: Bypass | None = None

    def texts(self) -> Iterator[str]:
        """Its expressions."""
        for cause in self.causes.values():
            yield cause.when

    def bypass_of(self, name: str) -> Bypass | None:
        """How a cause may be bypassed: as it says itself, else as the matrix says."""
        cause = self.causes[name]
        return cause.bypass if "bypass" in cause.model_fields_set else self.bypass

    def point_names(self) -> tuple[str, ...]:
        """Those of the matrix, of each cause and of each effect."""
        names = ["TRIPPED", "FIRST_OUT", "RESET"]
        for cause in self.causes:
            names += (f"{cause}/ACTIVE", f"{cause}/STATE")
            if self.bypass_of(cause) is not None:
                names.append(f"{cause}/BYPASSED")
        for effect in self.effects:
            names += (f"{effect}/ACTIVE", f"{effect}/CAUSE")
        return tuple(names)

    def point_fields(self, name: str) -> dict[str, Any]:
        """Fields of a point's tag."""
        first = {
            "type": INT32,
            "states": {"0": "None", **{str(i): text for i, text in enumerate(self.causes, 1)}},
        }
        if name in ("TRIPPED", "RESET"):
            writable = name == "RESET"
            return {"what": name.casefold(), "type": BOOL, "states": dict(_NO_YES), "writable": writable}
        if name == "FIRST_OUT":
            return {"what": "first out", "retain": True, **first}
        of, _, point = name.rpartition("/")
        if of in self.causes:
            about = self.causes[of].description or of
            if point == "STATE":
                return {"what": f"cause {about}", "type": INT32, "states": dict(CAUSE_STATES)}
            text = "present" if point == "ACTIVE" else "bypassed"
            return {
                "what": f"cause {about}: {text}",
                "type": BOOL,
                "states": dict(_NO_YES),
                "retain": point == "ACTIVE",
            }
        effect = self.effects[of]
        about = effect.description or of
        if point == "CAUSE":
            return {"what": f"effect {about}: first cause", "retain": True, **first}
        return {
            "what": f"effect {about}",
            "type": BOOL,
            "states": dict(_NO_YES),
            "retain": True,
            "writable": effect.reset == "manual",
        }


MODELS: dict[str, type[Block]] = {"cause_effect": CauseEffect}

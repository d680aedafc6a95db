"""What may be written about a block of one's own in Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

from pydantic import Field, PrivateAttr

from tags.own import Own as Declared
from tags.site.control_models import Block, UnitMode
from tags.site.fields import Condition, Plain
from tags.site.protection_models import Free
from tags.types import BOOL, FLOAT64, INT32

_TYPES: Final = {"float": FLOAT64, "int": INT32, "bool": BOOL}
_MODES: Final = {"0": "Out of service", "1": "Manual", "2": "Auto"}
_NUMBERS: Final = {text.casefold(): int(number) for number, text in _MODES.items()}


class Own(Free):
    """A class in Python from the folder `blocks/`."""

    block: Literal["own"]
    class_: str = Field(alias="class")
    inputs: dict[str, Condition] = Field(default_factory=dict)
    settings: dict[str, Plain] = Field(default_factory=dict)
    drives: dict[str, str] = Field(default_factory=dict)
    mode: UnitMode = UnitMode()
    _declared: Declared | None = PrivateAttr(default=None)

    @property
    def declared(self) -> Declared | None:
        """The class, once it was found."""
        return self._declared

    def declare(self, found: Declared) -> None:
        """Says which class it is."""
        self._declared = found

    def texts(self) -> Iterator[str]:
        """Its expressions."""
        yield from self.inputs.values()

    @property
    def first_mode(self) -> int:
        """Number of the mode of the very first start."""
        return _NUMBERS[self.mode.first]

    def point_names(self) -> tuple[str, ...]:
        """Its outputs in capitals; a mode when it drives."""
        outputs = (
            () if self._declared is None else tuple(name.upper() for name in self._declared.of("output"))
        )
        return (*outputs, "MODE") if self.drives else outputs

    def point_fields(self, name: str) -> dict[str, Any]:
        """Fields of a point's tag."""
        if name == "MODE":
            return {
                "what": "mode",
                "type": INT32,
                "states": dict(_MODES),
                "limits": (0.0, 2.0),
                "writable": True,
                "write_role": getattr(self.mode, "role", "operator"),
                "retain": True,
                "initial": self.first_mode,
            }
        assert self._declared is not None
        member = self._declared.members[name.casefold()]
        args = member.args
        what = args.get("description", "" if name in ("OUT", "Q", "TOTAL") else name.casefold())
        fields = {"what": what, "type": _TYPES[member.type], "unit": args.get("unit")}
        if "low" in args and "high" in args:
            fields["range"] = (float(args["low"]), float(args["high"]))
        if member.type == "float":
            fields["decimals"] = args.get("decimals", 2)
        else:
            texts = args.get("states") or (("No", "Yes") if member.type == "bool" else ())
            fields["states"] = {str(i): str(text) for i, text in enumerate(texts)}
        return fields


MODELS: dict[str, type[Block]] = {"own": Own}

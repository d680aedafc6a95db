"""Settings of a serial line (Modbus over Serial Line 1.02, 2.5): pure."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from scada.modbus import rtu

BAUDS: Final = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)


class Serial(BaseModel):
    """How characters are sent; the standard's own values where nothing is said (2.5.1).

    Attributes:
        baud: Bits a second.
        parity: `even`, `odd` or `none`.
        data_bits: 8: RTU frames cannot be sent with less.
        stop_bits: 1 or 2; the standard wants 2 where parity is `none`, most devices have 1 all the same.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    baud: int = Field(default=19200)
    parity: Literal["even", "odd", "none"] = "even"
    data_bits: int = 8
    stop_bits: Literal[1, 2] = 1

    @field_validator("baud")
    @classmethod
    def _baud(cls, number: int) -> int:
        if number not in BAUDS:
            raise ValueError(
                f"{number} is no usual speed of a serial line. Use one of {', '.join(map(str, BAUDS))}"
            )
        return number

    @field_validator("data_bits")
    @classmethod
    def _eight(cls, number: int) -> int:
        if number != 8:
            raise ValueError(
                f"RTU sends characters of 8 data bits, not {number}. "
                "Write data_bits: 8, and set the device from ASCII to RTU"
            )
        return number

    @property
    def character_ns(self) -> int:
        """Time of one character on the line, ns."""
        return rtu.character_ns(self.baud, 1 + self.data_bits + (self.parity != "none") + self.stop_bits)

    @property
    def silence_ns(self) -> int:
        """Silence between frames, ns."""
        return rtu.silence_ns(self.baud)

    def __str__(self) -> str:
        return f"{self.baud} Bd, {self.data_bits}{self.parity[0].upper()}{self.stop_bits}"

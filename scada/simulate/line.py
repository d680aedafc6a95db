"""A simulated serial line: a pseudo terminal under the name that the site gives, or a real port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tty
from pathlib import Path
from typing import Final

import serial

from scada.modbus import rtu
from scada.modbus.serial import Serial
from scada.simulate.connection import SILENCE_S, Later, Requests
from scada.simulate.unit import WRITE, Units

_PARITY: Final = {"even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD, "none": serial.PARITY_NONE}
_PSEUDO: Final = "/dev/pts/"


class Line:
    """The devices on one serial line. Replies take the time that they take at its speed.

    Args:
        units: On it.
        path: Where the master finds it. A name that does not exist becomes a link to a new pseudo terminal; a character
            device is opened.
        settings: Speed and characters.
    """

    def __init__(self, units: Units, path: str, settings: Serial) -> None:
        self._units = units
        self._path = Path(path)
        self._settings = settings
        self._character_s = settings.character_ns / 1e9
        self._silence_s = settings.silence_ns / 1e9
        self._requests = Requests()
        self._later = Later(self._write)
        self._timer: asyncio.TimerHandle | None = None
        self._ends: tuple[int, ...] = ()
        self._port: serial.Serial | None = None

    @property
    def open(self) -> bool:
        """The line is there."""
        return bool(self._ends)

    def plug(self) -> None:
        """Puts the line there.

        Raises:
            OSError: The name is taken by something else, or may not be made.
        """
        if self._ends:
            return
        if self._path.exists() and not self._is_pseudo():
            self._port = serial.Serial(
                str(self._path),
                self._settings.baud,
                bytesize=self._settings.data_bits,
                parity=_PARITY[self._settings.parity],
                stopbits=self._settings.stop_bits,
                timeout=0,
                exclusive=True,
            )
            self._ends = (self._port.fileno(),)
        else:
            master, slave = os.openpty()
            self._ends = (master, slave)  # the slave stays open: a master that hangs up does not end the line
            tty.setraw(slave)
            try:
                self._link(os.ttyname(slave))
            except OSError:
                self.unplug()
                raise
        os.set_blocking(self._ends[0], False)
        asyncio.get_running_loop().add_reader(self._ends[0], self._receive)

    def unplug(self) -> None:
        """Takes the line away: whoever has it open meets an error, as with an adapter that is pulled out."""
        if not self._ends:
            return
        with contextlib.suppress(OSError, ValueError):
            asyncio.get_running_loop().remove_reader(self._ends[0])
        self._later.close()
        self._requests.forget()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._port is not None:
            self._port.close()
            self._port = None
        else:
            with contextlib.suppress(OSError):
                if self._is_pseudo() and str(self._path.readlink()) == os.ttyname(self._ends[1]):
                    self._path.unlink()
            for end in self._ends:
                os.close(end)
        self._ends = ()

    def _is_pseudo(self) -> bool:
        """Whether the name is a link to a pseudo terminal, ours or one that a killed simulator left behind."""
        return self._path.is_symlink() and str(self._path.readlink()).startswith(_PSEUDO)

    def _link(self, name: str) -> None:
        if self._path.is_symlink():
            self._path.unlink()
        self._path.symlink_to(name)

    def _receive(self) -> None:
        try:
            data = os.read(self._ends[0], 4096)
        except BlockingIOError:
            return
        except OSError:
            self.unplug()  # a real port that was pulled out
            return
        for unit, pdu in self._requests.feed(data):
            now_s = asyncio.get_running_loop().time()
            reply = self._units.take(unit, pdu, WRITE, now_s)
            if reply is not None:
                frame = reply.garbage or rtu.frame(unit, reply.pdu[0], reply.pdu[1:])
                on_line_s = (len(pdu) + 3 + len(frame)) * self._character_s + self._silence_s
                self._later.put(frame, on_line_s + reply.delay_s)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._requests.pending:
            self._timer = asyncio.get_running_loop().call_later(SILENCE_S, self._requests.forget)

    def _write(self, frame: bytes) -> None:
        with contextlib.suppress(BlockingIOError):  # nobody reads: a line does not keep what was sent on it
            os.write(self._ends[0], frame)

"""A serial port in an event loop: pyserial opens and sets it, the loop tells when there are bytes.

The port is locked (flock, as minicom and others do): two programs on one line would hear each other's replies. An
adapter that vanishes ends the connection; the bus opens the port again when its file is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import stat
import termios
from pathlib import Path
from typing import Final

import serial

from scada.modbus.serial import Serial

_PARITY: Final = {"even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD, "none": serial.PARITY_NONE}
_REASONS: Final = {
    errno.ENOENT: "there is no {path}",
    errno.ENODEV: "there is no hardware behind {path}",
    errno.ENXIO: "there is no hardware behind {path}",
    errno.EIO: "there is no hardware behind {path}",
    errno.EACCES: "{path} may not be opened by this user: add him to its group (dialout, mostly) and log in anew",
    errno.EPERM: "{path} may not be opened by this user: add him to its group (dialout, mostly) and log in anew",
    errno.EAGAIN: "another program has {path}",
    errno.EBUSY: "another program has {path}",
    errno.ENOTTY: "{path} is no serial port",
    errno.EINVAL: "{path} cannot be set to {settings}",
    errno.EISDIR: "{path} is no serial port",
}
_READ: Final = 4096
_PSEUDO: Final = range(136, 144)  # major numbers of the slave sides of pseudo terminals (Linux devices.txt)


class Port:
    """An open serial port; talks to its protocol as a transport of asyncio does.

    Args:
        port: Opened by pyserial, locked.
        protocol: Gets `data_received` and `connection_lost`.
    """

    def __init__(self, port: serial.Serial, protocol: asyncio.Protocol) -> None:
        self._port = port
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._fd: int = port.fileno()
        self._rest = b""
        self._open = True
        self._loop.add_reader(self._fd, self._readable)

    def write(self, data: bytes) -> None:
        """Sends; what the port does not take at once follows when it can."""
        if self._rest:
            self._rest += data
            return
        try:
            sent = os.write(self._fd, data) if self._open else len(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._lose(error)
            return
        if sent < len(data):
            self._rest = data[sent:]
            self._loop.add_writer(self._fd, self._writable)

    def close(self) -> None:
        """Closes the port; what was not sent yet is not sent any more."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        with contextlib.suppress(termios.error, OSError):  # closing would wait until the line has taken all
            termios.tcflush(self._fd, termios.TCIOFLUSH)
        with contextlib.suppress(OSError):
            self._port.close()

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, _READ)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error)
            return
        if data:
            self._protocol.data_received(data)
        else:
            self._lose(ConnectionResetError("the port is gone"))

    def _writable(self) -> None:
        self._loop.remove_writer(self._fd)
        rest, self._rest = self._rest, b""
        self.write(rest)

    def _lose(self, error: OSError) -> None:
        self.close()
        self._protocol.connection_lost(error)


async def open_port(path: str, settings: Serial, protocol: asyncio.Protocol) -> Port:
    """Opens and locks a serial port, discards what waits in it.

    Args:
        path: For example `/dev/ttyUSB0`.
        settings: Of the line. A pseudo terminal has no line: parity and stop bits mean nothing there.
        protocol: Gets its bytes.

    Raises:
        OSError: There is none, it may not be opened, another program has it, or it cannot be set so.
    """
    try:
        pseudo = _is_pseudo(path)
        port = serial.Serial(
            path,
            baudrate=settings.baud,
            bytesize=serial.EIGHTBITS,
            parity=serial.PARITY_NONE if pseudo else _PARITY[settings.parity],
            stopbits=serial.STOPBITS_ONE if pseudo else settings.stop_bits,
            timeout=0,
            exclusive=True,
        )
    except OSError as error:  # pyserial's own are among them
        raise _told(error, path, settings) from None
    except (ValueError, termios.error) as error:
        raise OSError(errno.EINVAL, f"{path} cannot be set to {settings}: {error}") from None
    os.set_blocking(port.fileno(), False)
    with contextlib.suppress(termios.error):
        termios.tcflush(port.fileno(), termios.TCIOFLUSH)
    return Port(port, protocol)


def _told(error: OSError, path: str, settings: Serial) -> OSError:
    """The same error in words for people."""
    cause = error.__context__  # where setting it failed, pyserial hides the number
    code = error.errno or (cause.args[0] if isinstance(cause, termios.error) else 0)
    text = _REASONS.get(code, str(error)).format(path=path, settings=settings)
    return OSError(code or errno.EIO, text)


def _is_pseudo(path: str) -> bool:
    info = Path(path).stat()
    return stat.S_ISCHR(info.st_mode) and os.major(info.st_rdev) in _PSEUDO

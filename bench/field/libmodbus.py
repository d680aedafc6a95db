"""libmodbus (C): the same requests one after the other, as its API has them, with and without its own floats."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

PACKAGES: Final = ("libmodbus-dev", "libmodbus5")
_SOURCE: Final = r"""
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <modbus.h>

static double seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
    int port = atoi(argv[1]), devices = atoi(argv[2]), floats = atoi(argv[3]);
    double end = seconds(CLOCK_MONOTONIC) + atof(argv[4]);
    modbus_t *device[1000];
    uint16_t words[125];
    static float values[1000][62];
    for (int i = 0; i < devices; i++) {
        char host[32];
        snprintf(host, sizeof host, "127.0.%d.%d", 1 + i / 250, 1 + i % 250);
        device[i] = modbus_new_tcp(host, port);
        modbus_set_slave(device[i], 1);
        if (modbus_connect(device[i])) return fprintf(stderr, "%s\n", modbus_strerror(errno)), 1;
    }
    long count = 0;
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    while (seconds(CLOCK_MONOTONIC) < end)
        for (int i = 0; i < devices; i++, count++) {
            if (modbus_read_registers(device[i], 0, 125, words) != 125) return 1;
            for (int n = 0; n < floats; n++) values[i][n] = modbus_get_float_abcd(words + 2 * n);
        }
    printf("%.4f\n", (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / count * 1e6);
    return 0;
}
"""


class MissingError(Exception):
    """It cannot be built here; the text says what is missing."""


def build(folder: Path) -> list[str]:
    """Builds the program; where libmodbus is not installed its Debian packages are unpacked beside it.

    Returns:
        The command that runs it.

    Raises:
        MissingError: No compiler, or no libmodbus.
    """
    if shutil.which("gcc") is None:
        raise MissingError("libmodbus needs gcc")
    source, program = folder / "bench.c", folder / "bench"
    source.write_text(_SOURCE)
    places = [Path("/usr")]
    if not Path("/usr/include/modbus/modbus.h").exists():
        got = subprocess.run(
            ["apt-get", "-qq", "download", *PACKAGES], cwd=folder, check=False, capture_output=True
        )
        debs = sorted(folder.glob("*.deb"))
        if got.returncode or not debs:
            raise MissingError(f"libmodbus is not here. On Debian, as root: apt-get install {PACKAGES[0]}")
        for deb in debs:
            subprocess.run(["dpkg", "-x", deb, folder / "root"], check=True)
        places.insert(0, folder / "root" / "usr")
    library = next((path for place in places for path in sorted(place.glob("lib/*/libmodbus.so.5*"))), None)
    if library is None:
        raise MissingError("libmodbus.so.5 is not here")
    done = subprocess.run(
        ["gcc", "-O2", "-o", program, source, *(f"-I{place}/include/modbus" for place in places), library,
         f"-Wl,-rpath,{library.parent}"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise MissingError(f"libmodbus does not build: {done.stderr[-300:]}")
    return [str(program)]


class Libmodbus:
    """The program, built once."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._command = build(Path(self._folder.name))

    def us(self, port: int, devices: int, floats: int, seconds: float) -> float:
        """Processor us for each request, its floats included."""
        words = [*self._command, str(port), str(devices), str(floats), str(seconds)]
        return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)

    def close(self) -> None:
        """Removes it."""
        self._folder.cleanup()

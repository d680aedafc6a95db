"""The trust list as folders of the data directory (OPC 10000-12 annex, as other OPC UA products lay it out).

    certs/own/        the server's key and certificate
    certs/trusted/    client applications, and authorities that speak for theirs
    certs/issuers/    authorities that only complete a chain
    certs/crl/        what authorities have revoked
    certs/rejected/   who was refused, for an administrator to look at; the oldest go when there are many

Files are DER or PEM; their names mean nothing, ours are thumbprints. Who changes a folder changes what the running
server believes: it looks again before each new channel and once a second.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from scada.datadir import write_file
from scada.opcua.security.validate import DER_MAX, TrustList, thumbprint

REJECTED_MAX: Final = 50
FILES_MAX: Final = 1000  # that are looked at in one folder
CRL_MAX: Final = 4 * 1024 * 1024  # bytes of one list
FOLDERS: Final = ("own", "trusted", "issuers", "crl", "rejected")
_SUFFIXES: Final = frozenset({".der", ".pem", ".crt", ".cer", ".crl"})


@dataclass(frozen=True, slots=True)
class Found:
    """A certificate in one of the folders.

    Attributes:
        folder: `own`, `trusted`, `issuers` or `rejected`.
        path: Its file.
        der: As bytes.
        certificate: As it was read.
    """

    folder: str
    path: Path
    der: bytes
    certificate: x509.Certificate

    @property
    def thumbprint(self) -> str:
        """SHA-1 in hex."""
        return thumbprint(self.der)

    @property
    def name(self) -> str:
        """Its common name, else its whole subject; only what can be printed."""
        names = self.certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        text = str(names[0].value) if names else self.certificate.subject.rfc4514_string()
        return "".join(letter if letter.isprintable() else "?" for letter in text)[:80]


class Store:
    """The folders.

    Args:
        root: `DataDir.certs`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._seen: tuple[object, ...] | None = None
        self._trust = TrustList()

    def create(self) -> None:
        """Makes the folders, mode 0700."""
        for name in FOLDERS:
            (self.root / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def trust(self) -> TrustList:
        """Whom we believe now; files are read again only when a folder changed."""
        seen = tuple(_stamp(self.root / name) for name in ("trusted", "issuers", "crl"))
        if seen != self._seen:
            lists = []
            for path in _files(self.root / "crl"):
                with contextlib.suppress(OSError, ValueError):
                    lists.append(_crl(path))
            self._trust = TrustList(
                tuple(found.certificate for found in self.certificates("trusted")),
                tuple(found.certificate for found in self.certificates("issuers")),
                tuple(lists),
            )
            self._seen = seen
        return self._trust

    def trusts(self, der: bytes) -> bool:
        """Whether this very certificate lies in `trusted`."""
        return any(one.public_bytes(Encoding.DER) == der for one in self.trust().trusted)

    def certificates(self, folder: str) -> list[Found]:
        """What lies in a folder, in order of file name; what cannot be read is left out (`unreadable` has it)."""
        found = []
        for path in _files(self.root / folder):
            with contextlib.suppress(OSError, ValueError):
                found.append(read(path, folder))
        return found

    def unreadable(self) -> list[Path]:
        """Files of the trust list that do nothing, because they cannot be read."""
        bad = []
        for folder in ("trusted", "issuers", "rejected", "crl"):
            for path in _files(self.root / folder):
                try:
                    _crl(path) if folder == "crl" else read(path, folder)
                except (OSError, ValueError):
                    bad.append(path)
        return bad

    def find(self, text: str, folders: tuple[str, ...] = ("rejected", "trusted", "issuers")) -> list[Found]:
        """The certificates that a text names: the beginning of a thumbprint (at least four digits), or the whole name.

        Args:
            text: As a person typed it; colons and case do not count in a thumbprint.
            folders: Where.
        """
        digits = text.replace(":", "").replace(" ", "").lower()
        every = [found for folder in folders for found in self.certificates(folder)]
        by_print = [one for one in every if len(digits) >= 4 and one.thumbprint.startswith(digits)]
        return by_print or [one for one in every if one.name == text]

    def put(self, folder: str, der: bytes) -> Path:
        """Writes a certificate into a folder under its thumbprint.

        Raises:
            OSError: The file cannot be written.
        """
        self.create()
        path = self.root / folder / f"{thumbprint(der)}.der"
        write_file(path, der)
        return path

    def put_revocations(self, path: Path) -> Path:
        """Copies a list of revoked certificates into `crl`; a later one of the same authority takes its place.

        Raises:
            OSError: A file cannot be read or written.
            ValueError: It is no such list.
        """
        revocations = _crl(path)
        self.create()
        name = hashlib.sha1(revocations.issuer.public_bytes(), usedforsecurity=False).hexdigest()
        target = self.root / "crl" / f"{name}.crl"
        write_file(target, revocations.public_bytes(Encoding.DER))
        return target

    def move(self, found: Found, folder: str) -> Path:
        """Puts a certificate into another folder and takes it out of its own.

        Raises:
            OSError: A file cannot be written.
        """
        path = self.put(folder, found.der)
        if found.path != path:
            found.path.unlink(missing_ok=True)
        return path

    def rejected_before(self, der: bytes) -> bool:
        """Whether a refused certificate is kept already; it is one of the latest again then."""
        try:
            os.utime(self.root / "rejected" / f"{thumbprint(der)}.der")
        except OSError:
            return False
        return True

    def reject(self, der: bytes) -> bool:
        """Keeps a refused certificate for an administrator; of too many the oldest go.

        Returns:
            True when it was not there before.
        """
        if self.rejected_before(der):
            return False
        folder = self.root / "rejected"
        path = folder / f"{thumbprint(der)}.der"
        with contextlib.suppress(OSError):
            self.create()
            fresh = path.with_suffix(".new")
            fresh.write_bytes(
                der[:DER_MAX]
            )  # not flushed: the disk must not hold up the server for a stranger
            fresh.replace(path)
            kept = sorted(_files(folder), key=lambda file: file.lstat().st_mtime_ns)
            for old in kept[:-REJECTED_MAX]:
                old.unlink(missing_ok=True)
            return True
        return False


def read(path: Path, folder: str = "") -> Found:
    """A certificate file, DER or PEM.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no certificate.
    """
    data = _content(path, DER_MAX)
    load = x509.load_pem_x509_certificate if b"-----BEGIN" in data else x509.load_der_x509_certificate
    try:
        certificate = load(data)
    except (ValueError, x509.InvalidVersion) as error:
        raise ValueError("it is no certificate, neither DER nor PEM") from error
    return Found(folder, path, certificate.public_bytes(Encoding.DER), certificate)


def is_revocations(path: Path) -> bool:
    """Whether a file is a list of revoked certificates."""
    try:
        _crl(path)
    except (OSError, ValueError):
        return False
    return True


def _crl(path: Path) -> x509.CertificateRevocationList:
    data = _content(path, CRL_MAX)
    return x509.load_pem_x509_crl(data) if b"-----BEGIN" in data else x509.load_der_x509_crl(data)


def _content(path: Path, most: int) -> bytes:
    # Without waiting: a pipe in the folder would hold up the server for ever.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(f"{path} is no file")
        data = file.read(2 * most + 1)
    if len(data) > 2 * most:
        raise ValueError(f"{path} is too long for a certificate")
    return data


def _files(folder: Path) -> list[Path]:
    try:
        found = [path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES]
    except OSError:
        return []
    return sorted(found)[:FILES_MAX]


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, times and sizes of a folder's files: another one when one of them changed."""
    found: list[tuple[str, int, int]] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if len(found) == FILES_MAX:
                break
            with contextlib.suppress(OSError):
                info = entry.stat()
                found.append((entry.name, info.st_mtime_ns, info.st_size))
    return tuple(sorted(found))

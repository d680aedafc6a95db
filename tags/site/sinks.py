"""Databases that history is forwarded to: from YAML to `tags.model.Sink`."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from tags.model import Secret, Sink
from tags.site import models
from tags.site.building import Building, Scope
from tags.site.sources import NodeSource
from tags.site.validate import validate

NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_\-]{0,31}")
_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_\-]*")
_TAKEN: Final = frozenset({"tag", "time", "field", "measurement", "v", "i", "b", "s", "q"})
_LOCAL: Final = ("127.0.0.1", "localhost", "::1")
_SHARE_MAX: Final = 50.0


def compile_sink(build: Building, name: str, data: Any, source: NodeSource, site: str) -> Sink | None:
    """One sink, or None with its problems reported.

    Args:
        build: The site.
        name: Of the sink.
        data: What is written below it.
        source: Where.
        site: Name of the site, the default of measurement and bucket.
    """
    scope = Scope(build, source, f"sink {name}")
    if not NAME.fullmatch(name):
        scope.report((), "is not a name. Use letters, digits, '-' and '_', a letter first, at most 32.")
    made = validate(models.Sink, data, source, scope.subject, build.problems)
    if made is None:
        return None
    before = len(build.problems.found)
    _check_url(scope, made)
    _check_login(scope, made)
    _check_keys(scope, made)
    _check_rest(scope, made)
    if len(build.problems.found) > before:
        return None
    return Sink(
        name=name,
        type=made.type,
        url=made.url.rstrip("/"),
        api="v2" if made.type == "victoriametrics" else made.api,
        org=made.org,
        bucket=made.bucket or site,
        token=_secret(made.token),
        user=made.user,
        password=_secret(made.password),
        ca=made.ca,
        measurement=made.measurement or site,
        keys=dict(made.keys),
        quality=made.quality,
        tags=tuple(made.tags),
        batch=made.batch,
        parallel=made.parallel,
        events=made.events and made.type == "influxdb",
        history_ns=made.history,
        timeout_ns=made.timeout,
        create=made.create,
        retention_ns=made.retention or 0,
        spool=made.spool.value / 100.0,
    )


def _check_url(scope: Scope, made: models.Sink) -> None:
    url = _parts(made.url)
    if url is None or url.scheme not in ("http", "https") or not url.hostname or url.path not in ("", "/"):
        scope.report(("url",), "is not an address. Write http://127.0.0.1:8086 or https://host:8086.")
    elif url.username is not None or url.query or url.fragment:
        scope.report(("url",), "holds more than an address. Write user:, password: and token: as keys.")
    elif url.scheme == "http" and (made.token or made.password) and url.hostname not in _LOCAL:
        scope.report(("url",), f"a secret would travel to {url.hostname} unencrypted. Write https://.")


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return None if any(c.isspace() or not c.isprintable() for c in url) else parts


def _check_login(scope: Scope, made: models.Sink) -> None:
    for key, secret in (("token", made.token), ("password", made.password)):
        if secret is not None and bool(secret.env) == bool(secret.file):
            scope.report((key,), f"{key}: write where it is found, {{env: NAME}} or {{file: /path}}.")
        elif secret is not None and secret.file and not secret.file.startswith("/"):
            scope.report((key, "file"), f"{secret.file!r} is not an absolute path. Begin it with '/'.")
    if made.token is not None and (made.user or made.password):
        scope.report(("token",), "a token and a user are one too many. Keep the token, or user and password.")
    if bool(made.user) != (made.password is not None):
        scope.report((), "user and password belong together. Write both, or neither.")
    if ":" in made.user or not made.user.isprintable():
        scope.report(("user",), "a user's name has no ':'. Correct it.")


def _check_keys(scope: Scope, made: models.Sink) -> None:
    for key in made.keys:
        if not _KEY.fullmatch(key) or key.casefold() in _TAKEN:
            scope.report(
                ("keys", key),
                f"{key!r} cannot be a tag key: it is reserved, or not letters, digits, '_' and '-'. Rename it.",
                key=True,
            )
    if "path" not in made.keys.values():
        scope.report(("keys",), "no key holds the path: all tags would be one series. Write id: path.")


def _check_rest(scope: Scope, made: models.Sink) -> None:
    for key in ("org", "bucket", "measurement"):
        text = getattr(made, key)
        if text is not None and (not text.isprintable() or '"' in text or "\\" in text):
            scope.report(
                (key,), f"{key}: quotes, backslashes and control characters are not used. Leave them out."
            )
    if made.type == "influxdb" and made.api == "v2" and made.token is not None and not made.org:
        scope.report(
            ("token",), "org is missing. Write org: and the name of the organisation; - where there is none."
        )
    if made.spool.unit != "%" or not 0.0 < made.spool.value <= _SHARE_MAX:
        scope.report(
            ("spool",), f"spool is a share of the disk above 0 and up to {_SHARE_MAX:g} %. Write spool: 10 %."
        )
    if made.retention is not None and made.retention < 3_600_000_000_000:
        scope.report(
            ("retention",), "retention is shorter than 1 h, the least that InfluxDB takes. Write 30 d."
        )


def _secret(made: models.Secret | None) -> Secret | None:
    return None if made is None else Secret(env=made.env or "", file=made.file or "")

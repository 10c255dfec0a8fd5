"""The settings of one deployment: ``GNOMON_*`` environment variables with defaults that work.

Every field of :class:`Settings` is the variable ``GNOMON_`` + its name in capitals. A deployment
may give its own defaults in code (``gateway("flights", queue_rows=10_000)``); the environment
wins over them.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from gnomon.errors import SettingsError
from gnomon.name_lists import did_you_mean

__all__ = ["TRUSTED_KEYS", "Settings"]

TRUSTED_KEYS = "GNOMON_TRUSTED_KEYS"
"""Read from the environment by every process that inspects or loads artifacts."""

_FOLDERS = ("root", "spool")
_ENVIRONMENT_ONLY = {
    "trusted_keys": "every command that reads an artifact must use them too",
    "portable": "every process chooses its implementation before it reads other settings",
}
_NO_LIMIT = ("spool_bytes", "retention_bytes", "retention_days", "worker_bytes")
"""Settings of which 0 means that there is no limit."""
_MAY_BE_ZERO = ("batch_seconds", "fsync_seconds", *_NO_LIMIT)
_PROCESSES = ("slices", "workers", "worker_threads")
_URL = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?")
_NOT_BLANK = ("root", "spool", "url", "control_token", "predict_token", "token")
"""Settings that mean something else when they are empty: the working directory, or a token that
any client can send. A variable is often empty because another one, from which it is made, is not
set."""

_MOST_SECONDS = 2_000_000
"""About 23 days: the longest time that the system's calls can wait is 2**31 milliseconds."""
_MOST_DAYS = 365_000
_MOST_PROCESSES = 1_024
_MOST = 10**18
"""The most bytes or rows; the system's calls take 64 bits."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a deployment, in bytes, seconds and rows; retention also in days.

    Attributes:
        root: the storage root, a folder or ``s3://bucket/prefix``. Log tables, rollout history
            and reports live under it.
        spool: the local folder for open log segments; ``<root>/spool`` when the root is local.
        url: the address of this deployment, as ``http://host:port``. Servers report it to the
            storage root, and the ``gnomon`` commands call it; ``gnomon serve`` sets it.
        replica: the name of this machine among those that share the storage root; its host name
            by default. Slices are named after it, and continue their logs under these names.
        slices: gateway processes, each with separate workers, shadows and log.
        deadline: seconds from a request's arrival to its answer; then 504, and a worker that is
            still busy is killed.
        queue_rows: rows that may wait for the live worker, in requests of one batch and again in
            larger ones; beyond it requests are shed with 503.
        batch_rows: the most rows in one batch. A larger request is scored in parts.
        batch_seconds: about how long the worker may take over one batch: batches, and parts of
            large requests, get at most as many rows as fit. 0: only ``batch_rows`` limits them.
        workers: processes that score for one live artifact in one slice.
        body_bytes: the largest request body.
        body_rows: the most rows in one request, or in one batch of an Arrow stream.
        client_seconds: how long a client may take to send a request, and to take its answer. Then
            408, and its connection is closed.
        fsync_seconds: how often the log is forced to disk. Records since the last time can be lost
            when power fails, but not when a process dies. 0: before answers are sent, once for
            many answers.
        segment_bytes: size at which a log segment is closed and a new one begun.
        segment_seconds: age at which a log segment is closed and a new one begun.
        spool_bytes: the most bytes of a slice's closed log segments that wait for its shadows;
            beyond it the oldest are sealed, and a shadow reads them there. 0: no limit.
        retention_bytes: the most bytes of the sealed log; the oldest are removed. 0: no limit.
        retention_days: sealed rows older than this are removed. 0: no limit.
        log_failure: when the log cannot be written, ``refuse`` requests with 503 or ``serve``
            them unlogged (counted).
        follow_seconds: how often a slice looks for a new rollout decision and reports itself.
        shadow_deadline: seconds a shadow may take over one batch; then its worker is killed and the
            batch is tried in parts, so that only a row on which it hangs alone fails.
        worker_start_seconds: how long a worker may take to load and verify its artifact.
        worker_threads: OpenMP and BLAS threads in each worker.
        worker_bytes: the memory that each scoring process, live or shadow, may use. One that runs
            out is replaced, and only a row that needs more by itself fails. 0: no limit.
        control_token: bearer token for control routes. Unset: one is made at start and written
            to ``<root>/control.token``, readable by its owner only.
        predict_token: bearer token for prediction routes. Unset: predictions are open.
        token: for the ``gnomon`` commands, the named token to send to a server; servers ignore it.
            Unset: the control token.
        trusted_proxies: addresses or networks of proxies that authenticate users, separated by
            commas: ``10.0.0.5, fd00::/64``. Only from these are the headers below believed.
        proxy_user_header: the header in which such a proxy names the user.
        proxy_groups_header: the header in which it lists the user's groups, separated by commas.
        proxy_roles: the roles of these groups, separated by commas:
            ``ml-leads=promoter, sre=forcer, *=viewer``, where ``*`` is every user of the proxy.
        umask: the umask of the files and folders that Gnomon writes, in octal.
            ``077``: for their owner only. ``027`` lets the group read, ``007`` write too.
        trusted_keys: public keys, or files of them, separated by commas: only artifacts signed
            with one of them are inspected, loaded and served. Only in the environment, as it
            applies to commands and workers too. Unset: unsigned artifacts are accepted.
        hosts: host names of this server, separated by commas: ``flights.example.com``,
            ``*.example.com``, ``*`` for any. Requests for others get 421. Addresses, ``localhost``
            and the name in ``GNOMON_URL`` need no entry.
        fast_http: answer plain requests directly on their connection. 0: all go through ASGI, which
            is slower and gives the same bytes.
        fast_pipeline: do the arithmetic of scikit-learn's steps without their checks, where the
            result is known to be the same, bit for bit. 0: always call ``predict`` and
            ``predict_proba`` themselves.
        portable: use the portable replacement of every call that only Linux has, as on macOS; see
            ``docs/platforms.md``. Only in the environment.
        origins: pages of other sites that may send predictions, separated by commas:
            ``https://app.example.com``, ``*`` for any. Requests of others get 403.
    """

    root: str = ".gnomon"
    spool: str | None = None
    url: str | None = None
    replica: str | None = None
    slices: int = 1
    deadline: float = 10.0
    queue_rows: int = 20_000
    batch_rows: int = 2_048
    batch_seconds: float = 0.025
    workers: int = 1
    body_bytes: int = 16 * 1024 * 1024
    body_rows: int = 10_000
    client_seconds: float = 30.0
    fsync_seconds: float = 0.2
    segment_bytes: int = 64 * 1024 * 1024
    segment_seconds: float = 300.0
    spool_bytes: int = 1024 * 1024 * 1024
    retention_bytes: int = 0
    retention_days: float = 0.0
    log_failure: Literal["refuse", "serve"] = "refuse"
    follow_seconds: float = 0.5
    shadow_deadline: float = 30.0
    worker_start_seconds: float = 60.0
    worker_threads: int = 1
    worker_bytes: int = 0
    control_token: str | None = None
    predict_token: str | None = None
    token: str | None = None
    trusted_proxies: str | None = None
    proxy_user_header: str = "X-Forwarded-User"
    proxy_groups_header: str = "X-Forwarded-Groups"
    proxy_roles: str | None = None
    umask: str = "077"
    trusted_keys: str | None = None
    hosts: str | None = None
    origins: str | None = None
    fast_http: bool = True
    fast_pipeline: bool = True
    portable: bool = False

    def __post_init__(self) -> None:
        if self.replica is not None and not re.fullmatch(r"[A-Za-z0-9_-]+", self.replica):
            raise SettingsError(
                f"expected a name of letters, digits, - and _, got {self.replica!r}",
                where="GNOMON_REPLICA",
            )
        if not re.fullmatch(r"0?[0-7]{3}", self.umask) or self.file_umask & 0o700:
            raise SettingsError(
                f"expected an octal mask that keeps the owner's permissions, such as 077 or 027, "
                f"got {self.umask!r}",
                where="GNOMON_UMASK",
            )
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                _check_number(name, value)
            elif name in _NOT_BLANK and value is not None:
                _check_text(name, value)
        if self.url is not None and not _URL.fullmatch(self.url):
            raise SettingsError(
                f"expected an address such as http://host:3000, got {self.url!r}",
                where="GNOMON_URL",
            )

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None, **defaults: Any) -> Settings:
        """Read settings from ``environ`` (by default the process's), falling back to ``defaults``.

        Raises:
            SettingsError: a value of the wrong kind, or a ``GNOMON_*`` name that is not a setting.
        """
        environ = os.environ if environ is None else environ
        for name, reason in _ENVIRONMENT_ONLY.items():
            if name in defaults:
                raise SettingsError(
                    f"{name} is set in the environment, not in code",
                    where=f"GNOMON_{name.upper()}",
                    hint=reason,
                )
        known = set(cls.__struct_fields__)
        values: dict[str, Any] = dict(defaults)
        for variable, value in environ.items():
            if not variable.startswith("GNOMON_"):
                continue
            name = variable.removeprefix("GNOMON_").lower()
            if name not in known:
                raise SettingsError(
                    f"no such setting: {variable}",
                    hint=_settings_hint(name, known),
                )
            values[name] = value
        try:
            return msgspec.convert(values, cls, strict=False)
        except msgspec.ValidationError as error:
            message, _, path = str(error).partition(" - at ")
            name = path.strip("`$.")
            raise SettingsError(
                _wrong_value(message, values.get(name), cls.__annotations__.get(name, "")),
                where=f"GNOMON_{name.upper()}" if name else None,
            ) from None

    def environment(self) -> dict[str, str]:
        """Return these settings as variables for a child process, without the tokens."""
        values = msgspec.structs.asdict(self)
        return {
            f"GNOMON_{name.upper()}": _for_child(name, value)
            for name, value in values.items()
            if value is not None and not name.endswith("token")
        }

    @property
    def file_umask(self) -> int:
        """:attr:`umask` as a number, for :func:`gnomon.files.apply_umask`."""
        return int(self.umask, 8)

    @property
    def is_local(self) -> bool:
        """Whether the storage root is a folder of this machine."""
        return "://" not in self.root

    @property
    def local_spool(self) -> Path | None:
        """Where open log segments are, if this machine has any."""
        return self.spool_path if self.is_local or self.spool is not None else None

    @property
    def spool_path(self) -> Path:
        """Where open log segments are written; always local.

        Raises:
            SettingsError: the root is remote and no spool folder was given.
        """
        if self.spool is not None:
            return Path(self.spool)
        if not self.is_local:
            raise SettingsError(
                f"a remote root ({self.root}) needs a local folder for open log segments",
                where="GNOMON_SPOOL",
                hint="set GNOMON_SPOOL to a folder on a disk that survives a restart",
            )
        return Path(self.root) / "spool"


def _check_number(name: str, value: float) -> None:
    """Refuse a number that is negative, not finite or too large, and 0 where it has no meaning."""
    lowest = "of 0 or more" if name in _MAY_BE_ZERO else "above 0"
    most = _most(name, value)
    is_finite = isinstance(value, int) or math.isfinite(value)
    if not is_finite or value < 0 or (value == 0 and name not in _MAY_BE_ZERO):
        expected = f"expected a number {lowest}, got {value}"
    elif value > most:
        given = f"{value:,}" if value < 2 * _MOST else "more"
        expected = f"expected at most {most:,}, got {given}"
    else:
        return
    raise SettingsError(
        expected,
        where=f"GNOMON_{name.upper()}",
        hint="0 means no limit" if name in _NO_LIMIT else None,
    )


def _most(name: str, value: float) -> int:
    if name == "retention_days":
        return _MOST_DAYS
    if isinstance(value, int):
        return _MOST_PROCESSES if name in _PROCESSES else _MOST
    return _MOST_SECONDS


def _check_text(name: str, value: str) -> None:
    """Refuse an empty text, and one with white space around it. The value may be a secret."""
    if value and value == value.strip():
        return
    what = "white space at its beginning or end" if value.strip() else "an empty text"
    raise SettingsError(
        f"expected a value, got {what}",
        where=f"GNOMON_{name.upper()}",
        hint="remove the variable for the default" if not value.strip() else None,
    )


def _settings_hint(name: str, known: Collection[str]) -> str:
    suggestion = did_you_mean(name, known, "{}")
    names = ", ".join(f"GNOMON_{setting.upper()}" for setting in sorted(known))
    text = f"the settings are {names}"
    return text if suggestion is None else f"did you mean GNOMON_{suggestion.upper()}? {text}"


def _for_child(name: str, value: Any) -> str:
    """Return a setting for a process that may have another working directory."""
    if name in _FOLDERS and "://" not in value:
        return str(Path(value).absolute())
    if name == "trusted_keys":
        entries = (entry.strip() for entry in value.replace("\n", ",").split(","))
        return ",".join(
            entry if entry.startswith("ssh-") or not entry else str(Path(entry).absolute())
            for entry in entries
        )
    return str(value)


def _wrong_value(message: str, value: object, kind: str) -> str:
    """Return a message that says what was expected of a setting, and what it was."""
    if kind.startswith("Literal"):
        choices = re.findall(r"[\"']([^\"']+)", kind.removeprefix("Literal"))
        return f"expected {' or '.join(c for c in choices if c.isidentifier())}, got {value!r}"
    expected = {"int": "a whole number", "float": "a number", "bool": "0 or 1"}.get(kind)
    return message if expected is None else f"expected {expected}, got {value!r}"

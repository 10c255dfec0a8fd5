"""Every error that Gnomon raises on purpose.

::

    GnomonError                       500  error
    ├── InvalidRequest                422  invalid_request
    │   ├── MalformedBody             400  malformed_body
    │   ├── RequestTimeout            408  request_timeout
    │   ├── BodyTooLarge              413  body_too_large
    │   └── UnknownContentCoding      415  unknown_content_coding
    ├── MalformedRequest              400  malformed_request
    │   ├── TargetTooLong             414  target_too_long
    │   ├── ExpectationFailed         417  expectation_failed
    │   ├── HeadTooLarge              431  head_too_large
    │   ├── UnknownTransferCoding     501  unknown_transfer_coding
    │   └── UnknownVersion            505  unknown_version
    ├── Unauthorized                  401  unauthorized
    ├── Forbidden                     403  forbidden
    ├── OriginNotAllowed              403  origin_not_allowed
    ├── HostNotAllowed                421  host_not_allowed
    ├── UnknownRoute                  404  unknown_route
    ├── MethodNotAllowed              405  method_not_allowed
    ├── UnknownMethod                 501  unknown_method
    ├── UnknownArtifact               404  unknown_artifact
    ├── NotReady                      503  not_ready
    ├── Overloaded                    503  overloaded
    ├── Busy                          429  busy
    ├── LogUnavailable                503  log_unavailable
    ├── DeadlineExceeded              504  deadline_exceeded
    ├── PredictionFailed              500  prediction_failed
    ├── ContractError                 422  invalid_contract
    ├── PackRefused                   422  pack_refused
    ├── ArtifactError                 500  bad_artifact
    │   ├── ArtifactCorrupt           500  artifact_corrupt
    │   ├── ArtifactIncompatible      409  artifact_incompatible
    │   ├── UntrustedTypes            403  untrusted_types
    │   ├── UntrustedSignature        403  untrusted_signature
    │   └── GoldenMismatch            409  golden_mismatch
    ├── SigningError                  422  signing_failed
    ├── WorkerError                   503  worker_unavailable
    ├── LogError                      500  bad_log
    │   └── NewerLog                  500  newer_log
    ├── TableError                    422  invalid_table
    ├── PolicyError                   422  invalid_policy
    ├── SettingsError                 500  invalid_settings
    ├── TokenError                    409  token_refused
    ├── StorageError                  503  storage_unavailable
    ├── UnreadableFile                500  unreadable_file
    │   └── NewerFormat               500  newer_format
    ├── RolloutError                  409  rollout_refused
    │   ├── GateRefused               409  gate_refused
    │   │   └── GateUndecided         409  gate_undecided
    │   ├── ApprovalNeeded            409  approval_needed
    │   ├── IncompatibleContract      409  incompatible_contract
    │   ├── RolloutConflict           409  rollout_conflict
    │   └── HistoryDamaged            500  history_damaged
    ├── BundleDamaged                 422  bundle_damaged
    ├── ServerError                   502  server_error
    └── MissingExtra                  500  missing_extra

A message says what was expected, what was received, where, and what to do next. ``body`` is the
JSON shape of every HTTP error.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, NamedTuple

__all__ = [
    "ApprovalNeeded",
    "ArtifactCorrupt",
    "ArtifactError",
    "ArtifactIncompatible",
    "BodyTooLarge",
    "Breach",
    "BundleDamaged",
    "Busy",
    "ContractError",
    "DeadlineExceeded",
    "ExpectationFailed",
    "Forbidden",
    "GateRefused",
    "GateUndecided",
    "GnomonError",
    "GoldenMismatch",
    "HeadTooLarge",
    "HistoryDamaged",
    "HostNotAllowed",
    "IncompatibleContract",
    "InvalidRequest",
    "LogError",
    "LogUnavailable",
    "MalformedBody",
    "MalformedRequest",
    "MethodNotAllowed",
    "MissingExtra",
    "NewerFormat",
    "NewerLog",
    "NotReady",
    "OriginNotAllowed",
    "Overloaded",
    "PackRefused",
    "PolicyError",
    "PredictionFailed",
    "RequestTimeout",
    "RolloutConflict",
    "RolloutError",
    "ServerError",
    "SettingsError",
    "SigningError",
    "StorageError",
    "TableError",
    "TargetTooLong",
    "TokenError",
    "Unauthorized",
    "UnknownArtifact",
    "UnknownContentCoding",
    "UnknownMethod",
    "UnknownRoute",
    "UnknownTransferCoding",
    "UnknownVersion",
    "UnreadableFile",
    "UntrustedSignature",
    "UntrustedTypes",
    "ValueRule",
    "WorkerError",
]


class GnomonError(Exception):
    """The base of every error raised on purpose.

    ``where`` is a JSON path, a file, a column or a step; ``hint`` says what to do about it.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        where = f" at {self.where}" if self.where else ""
        hint = f". {self.hint}" if self.hint else ""
        return f"{self.message}{where}{hint}"

    def body(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the error as every HTTP route sends it."""
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "where": self.where,
                "hint": self.hint,
                "request_id": request_id,
            }
        }


ValueRule = Literal["type", "null", "domain", "range", "timezone"]
"""The rules that a single value can violate."""


class Breach(NamedTuple):
    """How a value violates its feature's contract; ``got`` is the value as JSON."""

    rule: ValueRule
    expected: str
    got: str


class InvalidRequest(GnomonError):
    """A request that violates the live artifact's contract.

    ``breach`` says how, if a single value violates it.
    """

    status, code = 422, "invalid_request"
    breach: Breach | None = None

    @classmethod
    def of(cls, breach: Breach, hint: str | None = None) -> InvalidRequest:
        """Return the error for a value that is refused."""
        error = cls(f"expected {breach.expected}, got {breach.got}", hint=hint)
        error.breach = breach
        return error


class MalformedBody(InvalidRequest):
    """A body that is not JSON."""

    status, code = 400, "malformed_body"


class RequestTimeout(InvalidRequest):
    """A request that its client did not send completely in time."""

    status, code = 408, "request_timeout"


class BodyTooLarge(InvalidRequest):
    """A body that is larger, or has more rows, than the settings allow."""

    status, code = 413, "body_too_large"


class UnknownContentCoding(InvalidRequest):
    """A body in a content coding that is not supported; ``accepted`` lists the supported ones."""

    status, code = 415, "unknown_content_coding"
    accepted: tuple[str, ...] = ("gzip", "zstd")


class MalformedRequest(GnomonError):
    """Bytes that are not an HTTP/1.1 request; their connection is closed."""

    status, code = 400, "malformed_request"


class TargetTooLong(MalformedRequest):
    """A request line over the limit."""

    status, code = 414, "target_too_long"


class ExpectationFailed(MalformedRequest):
    """An ``Expect`` header with a value different from ``100-continue``."""

    status, code = 417, "expectation_failed"


class HeadTooLarge(MalformedRequest):
    """A request with more headers, or more bytes of headers, than allowed."""

    status, code = 431, "head_too_large"


class UnknownTransferCoding(MalformedRequest):
    """A transfer coding that is not ``chunked``."""

    status, code = 501, "unknown_transfer_coding"


class UnknownVersion(MalformedRequest):
    """A major version of HTTP that is not 1."""

    status, code = 505, "unknown_version"


class Unauthorized(GnomonError):
    """A request without a valid token, where one is required."""

    status, code = 401, "unauthorized"


class Forbidden(GnomonError):
    """The caller is known, but their role, or their token's models, do not include this."""

    status, code = 403, "forbidden"


class OriginNotAllowed(GnomonError):
    """A page of another site sent the request."""

    status, code = 403, "origin_not_allowed"


class HostNotAllowed(GnomonError):
    """The request is for a host name that is not one of the server's."""

    status, code = 421, "host_not_allowed"


class UnknownRoute(GnomonError):
    """The server has no such route."""

    status, code = 404, "unknown_route"


class MethodNotAllowed(GnomonError):
    """A known route called with another method."""

    status, code = 405, "method_not_allowed"


class UnknownMethod(GnomonError):
    """A method that HTTP does not define, or CONNECT."""

    status, code = 501, "unknown_method"


class UnknownArtifact(GnomonError):
    """The store has no artifact with that tag."""

    status, code = 404, "unknown_artifact"


class NotReady(GnomonError):
    """No live artifact is loaded and verified yet."""

    status, code = 503, "not_ready"


class Overloaded(GnomonError):
    """The bounded queue is full; the request was shed."""

    status, code = 503, "overloaded"


class Busy(GnomonError):
    """A server answers few expensive requests at a time, and this one has to be sent again."""

    status, code = 429, "busy"


class LogUnavailable(GnomonError):
    """The inference log cannot be appended to and the settings say to refuse.

    ``reason`` is the name of the operating system's error: ``ENOSPC``, ``EROFS``.
    """

    status, code = 503, "log_unavailable"
    reason = "unknown"

    @classmethod
    def of(cls, doing: str, error: OSError, *, where: str) -> LogUnavailable:
        """Return the error for a log operation that the operating system refused."""
        unavailable = cls(
            f"cannot {doing}: {error.strerror}",
            where=where,
            hint="check the disk of GNOMON_SPOOL: its free space, its state, its permissions",
        )
        unavailable.reason = errno.errorcode.get(error.errno or 0, cls.reason)
        return unavailable


class DeadlineExceeded(GnomonError):
    """The answer did not arrive within the deadline."""

    status, code = 504, "deadline_exceeded"


class PredictionFailed(GnomonError):
    """The artifact's code raised on this row, or the row killed its worker."""

    status, code = 500, "prediction_failed"


class ContractError(GnomonError):
    """A contract that cannot be read, inferred or satisfied."""

    status, code = 422, "invalid_contract"


class PackRefused(GnomonError):
    """A pipeline whose online predictions would differ from its offline ones."""

    status, code = 422, "pack_refused"


class ArtifactError(GnomonError):
    """An artifact that must not be, or could not be, loaded."""

    status, code = 500, "bad_artifact"


class ArtifactCorrupt(ArtifactError):
    """A file of the artifact is missing or differs from its recorded hash."""

    status, code = 500, "artifact_corrupt"


class ArtifactIncompatible(ArtifactError):
    """The artifact was packed with a Python or library version that this process does not have."""

    status, code = 409, "artifact_incompatible"


class UntrustedTypes(ArtifactError):
    """The serialized pipeline has types that are forbidden or not trusted by its manifest."""

    status, code = 403, "untrusted_types"


class UntrustedSignature(ArtifactError):
    """No trusted key signed the artifact, or a signature belongs to another artifact."""

    status, code = 403, "untrusted_signature"


class GoldenMismatch(ArtifactError):
    """The artifact does not reproduce its golden rows."""

    status, code = 409, "golden_mismatch"


class SigningError(GnomonError):
    """A key that cannot be made or used."""

    status, code = 422, "signing_failed"


class WorkerError(GnomonError):
    """A worker process did not start, hung or died."""

    status, code = 503, "worker_unavailable"


class LogError(GnomonError):
    """A log segment or table that cannot be read."""

    status, code = 500, "bad_log"


class NewerLog(LogError):
    """A part of the log that a newer version of Gnomon wrote."""

    status, code = 500, "newer_log"


class TableError(GnomonError):
    """An offline table that cannot be joined with the log."""

    status, code = 422, "invalid_table"


class PolicyError(GnomonError):
    """A policy file that cannot be read."""

    status, code = 422, "invalid_policy"


class SettingsError(GnomonError):
    """A ``GNOMON_*`` setting with a value that cannot be used."""

    status, code = 500, "invalid_settings"


class TokenError(GnomonError):
    """A named token cannot be created or changed in this way, or not in its present state."""

    status, code = 409, "token_refused"


class StorageError(GnomonError):
    """The storage root cannot be read or written; the message includes the system's reason."""

    status, code = 503, "storage_unavailable"


class UnreadableFile(GnomonError):
    """A file of Gnomon that is empty, cut off or of another kind; never treated as missing."""

    status, code = 500, "unreadable_file"


class NewerFormat(UnreadableFile):
    """A file that a newer version of Gnomon wrote."""

    status, code = 500, "newer_format"


class RolloutError(GnomonError):
    """A rollout decision that is not possible in the current state."""

    status, code = 409, "rollout_refused"


class GateRefused(RolloutError):
    """A promotion whose gates do not pass; ``force`` overrides and is recorded."""

    status, code = 409, "gate_refused"


class GateUndecided(GateRefused):
    """A promotion whose gates do not fail, but lack evidence that may still arrive."""

    status, code = 409, "gate_undecided"


class ApprovalNeeded(RolloutError):
    """By the policy another person has to approve the promotion."""

    status, code = 409, "approval_needed"


class IncompatibleContract(RolloutError):
    """A shadow that would refuse live's requests; ``force`` overrides and is recorded."""

    status, code = 409, "incompatible_contract"


class RolloutConflict(RolloutError):
    """Another decision was recorded first."""

    status, code = 409, "rollout_conflict"


class HistoryDamaged(RolloutError):
    """A rollout history with a lost, changed or unreadable event; no decision is based on it.

    Attributes:
        events: the events before the damage, oldest first, if they are known.
    """

    status, code = 500, "history_damaged"
    events: Sequence[Any] = ()


class BundleDamaged(GnomonError):
    """An audit bundle that is none, or was changed after it was written."""

    status, code = 422, "bundle_damaged"


class ServerError(GnomonError):
    """A server did not answer a client, or answered with an error that it did not explain."""

    status, code = 502, "server_error"


class MissingExtra(GnomonError):
    """An optional dependency that is not installed."""

    status, code = 500, "missing_extra"

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"this needs the package `{package}`, which is not installed",
            hint=f"run: pip install 'gnomon[{extra}]'",
        )

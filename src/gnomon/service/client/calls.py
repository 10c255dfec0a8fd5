"""The requests of a client and the reading of answers: all of a client except the I/O."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import httpx
import msgspec

from gnomon.errors import (
    DeadlineExceeded,
    GnomonError,
    HistoryDamaged,
    InvalidRequest,
    ServerError,
)
from gnomon.rollout.history import Event
from gnomon.service.client.rows import Record, Rows, one_record, records
from gnomon.service.control import (
    ROUTES,
    DecisionRequest,
    Decisions,
    Promote,
    Rollback,
    StartShadow,
    StopShadow,
)
from gnomon.service.status.slice_status import Status
from gnomon.wire_errors import SentError

if TYPE_CHECKING:
    import pandas as pd

    from gnomon.contract import Contract

__all__ = [
    "HttpCall",
    "OutputTarget",
    "Prediction",
    "Predictions",
    "Record",
    "Row",
    "RowError",
    "Rows",
]

T = TypeVar("T")
Read = TypeVar("Read", covariant=True)

CONTROL_SECONDS = 180.0
"""How long a control call may take: a promotion loads and verifies an artifact first."""

_PATHS = {route.body: path for path, route in ROUTES.items()}


class OutputTarget(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one target.

    Attributes:
        prediction: the label, or the number.
        probabilities: by class label, if the model has them.
        score: the row's score, if the model gives one score instead of probabilities.
        scores: by class label, if the model gives several scores instead.
    """

    prediction: Any = None
    probabilities: dict[str, float] = {}
    score: float | None = None
    scores: dict[str, float] = {}


class Prediction(OutputTarget, frozen=True, kw_only=True):
    """The answer to one record.

    Attributes:
        request_id: the request's name in the inference log.
        artifact: the tag of the artifact that answered.
        prediction: the label, or the number.
        probabilities: by class label, if the model has them.
        score: the row's score, if the model gives one score instead of probabilities.
        scores: by class label, if the model gives several scores instead.
        targets: the answer for each target by name, if the model has several targets.
        values: the row's value in each column, if the model is a transformer.
    """

    request_id: str
    artifact: str
    targets: dict[str, OutputTarget] = {}
    values: dict[str, Any] = {}

    def to_pandas(self) -> pd.DataFrame:
        """Return a frame of one row; see :meth:`Predictions.to_pandas`."""
        return _frame([self])


class RowError(msgspec.Struct, frozen=True, kw_only=True):
    """Why one row of many has no prediction."""

    code: str
    message: str
    where: str | None = None
    hint: str | None = None


class Row(OutputTarget, frozen=True, kw_only=True):
    """One row of an answer to many: the fields of a :class:`Prediction`, or the row's error.

    Attributes:
        error: why the row has no prediction: ``code``, ``message``, ``where`` and ``hint``; None
            if it has one.
    """

    targets: dict[str, OutputTarget] = {}
    values: dict[str, Any] = {}
    error: RowError | None = None


class Predictions(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to many records, in their order; iterates over its rows.

    Attributes:
        request_id: the request's name in the inference log.
        artifact: the tag of the artifact that answered.
        rows: the answer to each record.
    """

    request_id: str
    artifact: str
    rows: tuple[Row, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, index: int) -> Row:
        return self.rows[index]

    def to_pandas(self) -> pd.DataFrame:
        """Return a frame with one row per record, in their order.

        Its columns are named as in the inference log: ``prediction``, ``probability_<class>``,
        ``score``, ``prediction_<target>`` and so on. If rows failed, there is also ``error``.
        """
        return _frame(self.rows)


def _frame(rows: Sequence[Prediction | Row]) -> pd.DataFrame:
    import pandas as pd

    flat = [_flat(row) for row in rows]
    names = dict.fromkeys(name for row in flat for name in row)
    return pd.DataFrame.from_records(flat, columns=[*names])


def _flat(row: Prediction | Row) -> dict[str, Any]:
    """Return one row's answers by column."""
    columns = dict(row.values) | _flat_target(row, "")
    for name, target in row.targets.items():
        columns |= _flat_target(target, f"_{name}")
    if isinstance(row, Row) and row.error is not None:
        columns["error"] = row.error.message
    return columns


def _flat_target(target: OutputTarget, suffix: str) -> dict[str, Any]:
    single = {"prediction": target.prediction, "score": target.score}
    columns = {f"{name}{suffix}": value for name, value in single.items() if value is not None}
    for kind, by_class in (("probability", target.probabilities), ("score", target.scores)):
        columns |= {f"{kind}{suffix}_{label}": value for label, value in by_class.items()}
    return columns


class HttpCall(msgspec.Struct, Generic[Read], frozen=True, kw_only=True):
    """One request to the server, and how its answer is read.

    Attributes:
        control: whether it needs the control token.
        seconds: a timeout for this request, if the client's is too short.
    """

    method: str
    path: str
    content: bytes | None = None
    control: bool = False
    seconds: float | None = None
    read: Callable[[bytes], Read]


def predict(rows: Any, columns: Sequence[str] = ()) -> HttpCall[Prediction | Predictions]:
    """Return the call for one record, or for many rows; see :mod:`gnomon.service.client.rows`."""
    record = one_record(rows)
    return predict_many(rows, columns) if record is None else predict_one(record)


def predict_one(record: Record) -> HttpCall[Prediction]:
    """Return the call for the prediction of one record."""
    return HttpCall(
        method="POST",
        path="/predict",
        content=encode(checked(record, "$")),
        read=_reader(Prediction),
    )


def predict_many(rows: Rows, columns: Sequence[str] = ()) -> HttpCall[Predictions]:
    """Return the call for predictions of many records; nulls of a frame are sent as ``null``."""
    request_rows = records(rows, columns)
    content = {"rows": [checked(row, f"$.rows[{index}]") for index, row in enumerate(request_rows)]}
    return HttpCall(
        method="POST", path="/predict", content=encode(content), read=_reader(Predictions)
    )


def feature_names() -> HttpCall[list[str]]:
    """Return the call for the live artifact's features, in the order of rows without names."""
    return HttpCall(method="GET", path="/docs.json", read=_names)


def contract() -> HttpCall[Contract]:
    """Return the call for the live artifact's contract."""
    return HttpCall(method="GET", path="/docs.json", read=_contract)


def _contract(body: bytes) -> Contract:
    import gnomon.contract as decoding  # Other calls need no data library.

    document = msgspec.json.decode(body, type=dict[str, msgspec.Raw])["x-gnomon-contract"]
    return msgspec.json.decode(document, type=decoding.Contract)


def _names(body: bytes) -> list[str]:
    return [*_reader(_Document)(body).components.schemas.Record.properties]


def start_shadow(
    artifact: str,
    fraction: float | None,
    same: bool,
    force: bool,
    by: str | None,
    why: str | None,
) -> HttpCall[Event]:
    """Return the call that starts a shadow."""
    return _decide(
        StartShadow(artifact=artifact, fraction=fraction, same=same, force=force, by=by, why=why)
    )


def stop_shadow(artifact: str, by: str | None, why: str | None) -> HttpCall[Event]:
    """Return the call that stops a shadow."""
    return _decide(StopShadow(artifact=artifact, by=by, why=why))


def promote(artifact: str, force: bool, by: str | None, why: str | None) -> HttpCall[Event]:
    """Return the call that makes an artifact live."""
    return _decide(Promote(artifact=artifact, force=force, by=by, why=why))


def rollback(by: str | None, why: str | None) -> HttpCall[Event]:
    """Return the call that makes the previous artifact live again."""
    return _decide(Rollback(by=by, why=why))


def _decide(decision: DecisionRequest) -> HttpCall[Event]:
    """Return the call for a rollout decision, on the route for this kind of body."""
    return HttpCall(
        method="POST",
        path=_PATHS[type(decision)],
        content=msgspec.json.encode(decision),
        control=True,
        seconds=CONTROL_SECONDS,
        read=_reader(Event),
    )


def status() -> HttpCall[Status]:
    """Return the call for what the answering slice runs."""
    return HttpCall(method="GET", path="/gnomon/status", control=True, read=_reader(Status))


def history() -> HttpCall[list[Event]]:
    """Return the call for all rollout decisions."""
    return HttpCall(method="GET", path="/gnomon/history", control=True, read=_undamaged_events)


def _undamaged_events(body: bytes) -> list[Event]:
    """Return every decision.

    Raises:
        HistoryDamaged: its ``events`` are the decisions before the damage.
    """
    decisions = _reader(Decisions)(body)
    if decisions.damage is None:
        return decisions.events
    error = HistoryDamaged(decisions.damage)
    error.events = decisions.events
    raise error


def ready() -> HttpCall[None]:
    """Return the call that succeeds if live is loaded and verified; BentoML answers this route."""
    return HttpCall(method="GET", path="/readyz", read=lambda body: None)


def read(call: HttpCall[T], response: httpx.Response) -> T:
    """Return the answer to a call.

    Raises:
        GnomonError: the error that the server answered, as the same class.
        ServerError: the answer is not Gnomon's.
    """
    if response.is_success:
        try:
            return call.read(response.content)
        except msgspec.DecodeError as error:
            raise _foreign(str(error), str(response.url), response.status_code) from None
    raise failure_of(response.content, str(response.url), response.status_code)


@contextlib.contextmanager
def reaching(url: str) -> Iterator[None]:
    """Turn errors of httpx into Gnomon's.

    Raises:
        DeadlineExceeded: the server did not answer in time.
        ServerError: the server did not answer at all, or ``url`` is not a URL.
    """
    try:
        yield
    except httpx.TimeoutException as error:
        raise DeadlineExceeded(
            f"no answer in time: {type(error).__name__}",
            where=url,
            hint="give the client a longer `timeout`",
        ) from None
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ServerError(
            f"expected a URL such as http://127.0.0.1:3000: {error}", where=ascii(url)[1:-1]
        ) from None
    except httpx.UnsupportedProtocol:
        raise ServerError(
            "expected a URL that begins with http:// or https://",
            where=url,
            hint=f"write http://{url}",
        ) from None
    except httpx.HTTPError as error:
        raise ServerError(
            f"no answer: {error}",
            where=url,
            hint="is the server running? `gnomon serve` starts it",
        ) from None


class _Record(msgspec.Struct):
    properties: dict[str, msgspec.Raw]


class _Schemas(msgspec.Struct):
    Record: _Record


class _Components(msgspec.Struct):
    schemas: _Schemas


class _Document(msgspec.Struct):
    """The parts of the OpenAPI document that are read."""

    components: _Components


class _Error(SentError, frozen=True):
    request_id: str | None = None


class _Failure(msgspec.Struct):
    error: _Error


def _reader(kind: type[T]) -> Callable[[bytes], T]:
    return msgspec.json.Decoder(kind).decode


def failure_of(body: bytes, where: str, status: int = 200) -> GnomonError:
    """Return the error that a server answered, as the class with which the server raised it.

    Args:
        body: the body of the answer, or a line of it.
        where: the URL.
        status: the status of the answer.
    """
    try:
        answer = msgspec.json.decode(body, type=_Failure).error
    except msgspec.DecodeError:
        return _foreign(body[:200].decode(errors="replace"), where, status)
    raised = answer.error(unknown=ServerError)
    if answer.request_id is not None:
        raised.add_note(f"request {answer.request_id}")
    return raised


def _foreign(detail: str, where: str, status: int) -> ServerError:
    return ServerError(f"expected a Gnomon answer, got HTTP {status}: {detail}", where=where)


def checked(record: Any, where: str) -> Record:
    """Return a record if it can be sent.

    JSON has no infinity: it would arrive as null, without an error.

    Raises:
        InvalidRequest: it is not a record, or has an infinite number.
    """
    if not isinstance(record, Mapping):
        raise InvalidRequest(f"expected a record, got {type(record).__name__}", where=where)
    for name, value in record.items():
        if isinstance(value, float) and math.isinf(value):
            raise InvalidRequest(
                f"expected a number JSON can hold, got {value}", where=f"{where}.{name}"
            )
    return record


def encode(content: Any) -> bytes:
    """Encode content as JSON.

    Raises:
        InvalidRequest: a value cannot be encoded.
    """
    try:
        return msgspec.json.encode(content, enc_hook=_plain)
    except TypeError as error:
        raise InvalidRequest(str(error), where="$") from None


def _plain(value: Any) -> Any:
    """Convert the values of numpy and pandas in a record."""
    if isinstance(value, datetime):
        return value.isoformat()
    if getattr(value, "ndim", 0) > 0 and hasattr(value, "tolist"):
        if value.dtype.kind == "f" and not all(map(math.isfinite, value.ravel().tolist())):
            raise TypeError("expected an array of numbers that JSON can hold, got NaN or infinity")
        return value.tolist()
    if type(value).__name__ == "Interval":
        from gnomon.contract.interval_categories import (
            interval_text,  # imports pandas, as the caller has
        )

        return interval_text(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"expected a number, text, boolean, time or None, got {type(value).__name__}")

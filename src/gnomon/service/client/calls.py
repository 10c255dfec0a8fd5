"""The requests of a client and the reading of answers: all of a client except the I/O."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import httpx
import msgspec

from gnomon.errors import HistoryDamaged
from gnomon.labels.label import AcceptedLabels
from gnomon.rollout.history import RolloutEvent
from gnomon.service.access.identity import Identity
from gnomon.service.client.answers import Prediction, Predictions
from gnomon.service.client.failures import failure_of, foreign_answer
from gnomon.service.client.record_json import checked, encode
from gnomon.service.client.rows import Record, Rows, one_record, records, scalar
from gnomon.service.control_bodies import PATHS, DecisionRequest, Decisions
from gnomon.service.status.slice_status import Status

if TYPE_CHECKING:
    from gnomon.contract import Contract

__all__ = ["CONTROL_SECONDS", "AsyncSender", "HttpCall", "Sender"]

T = TypeVar("T")
Read = TypeVar("Read", covariant=True)

CONTROL_SECONDS = 180.0
"""How long a control call may take: a promotion loads and verifies an artifact first."""


class HttpCall(msgspec.Struct, Generic[Read], frozen=True, kw_only=True):
    """One request to the server, and how its answer is read.

    Attributes:
        control: whether it needs a role, so that the control token is sent.
        seconds: a timeout for this request, if the client's is too short.
    """

    method: str
    path: str
    content: bytes | None = None
    control: bool = False
    seconds: float | None = None
    read: Callable[[bytes], Read]


class Sender(ABC):
    """What sends calls, and waits for the answers."""

    @abstractmethod
    def _send(self, call: HttpCall[T]) -> T:
        """Send a request and return the answer."""


class AsyncSender(ABC):
    """What sends calls, and awaits the answers."""

    @abstractmethod
    async def _send(self, call: HttpCall[T]) -> T:
        """Send a request and return the answer."""


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


def label(labels: Any) -> HttpCall[AcceptedLabels]:
    """Return the call that stores labels: one record, or many; nulls of a frame are left out."""
    record = one_record(labels)
    rows = [record] if record is not None else records(labels, ())
    return HttpCall(
        method="POST",
        path="/labels",
        content=encode([_given(checked(row, f"$[{index}]")) for index, row in enumerate(rows)]),
        control=True,
        read=_reader(AcceptedLabels),
    )


def _given(label: Record) -> dict[str, Any]:
    """Return a label without its nulls; a value of null withdraws a label."""
    return {k: v for k, v in label.items() if k == "value" or scalar(v) is not None}


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


def decide(decision: DecisionRequest) -> HttpCall[RolloutEvent]:
    """Return the call for a rollout decision, on the route for this kind of body."""
    return HttpCall(
        method="POST",
        path=PATHS[type(decision)],
        content=msgspec.json.encode(decision),
        control=True,
        seconds=CONTROL_SECONDS,
        read=_reader(RolloutEvent),
    )


def status() -> HttpCall[Status]:
    """Return the call for what the answering slice runs."""
    return HttpCall(method="GET", path="/gnomon/status", control=True, read=_reader(Status))


def whoami() -> HttpCall[Identity]:
    """Return the call for who the client is to the server."""
    return HttpCall(method="GET", path="/gnomon/whoami", control=True, read=_reader(Identity))


def history() -> HttpCall[list[RolloutEvent]]:
    """Return the call for all rollout decisions."""
    return HttpCall(method="GET", path="/gnomon/history", control=True, read=_undamaged_events)


def _undamaged_events(body: bytes) -> list[RolloutEvent]:
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
            raise foreign_answer(str(error), str(response.url), response.status_code) from None
    raise failure_of(response.content, str(response.url), response.status_code)


class _Record(msgspec.Struct):
    properties: dict[str, msgspec.Raw]


class _Schemas(msgspec.Struct):
    Record: _Record


class _Components(msgspec.Struct):
    schemas: _Schemas


class _Document(msgspec.Struct):
    """The parts of the OpenAPI document that are read."""

    components: _Components


def _reader(kind: type[T]) -> Callable[[bytes], T]:
    return msgspec.json.Decoder(kind).decode

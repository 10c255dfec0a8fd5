"""The status of a slice, as JSON and in public."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from gnomon.rollout.evidence.excuse import Excuse, RecordedExcuse
from gnomon.service.status.slice_status import LiveStatus, ShadowStatus, Status, public


def test_a_status_survives_json() -> None:
    """A client reads what the server wrote, and ignores what a newer one adds."""
    status = Status(
        model="flights",
        ready=True,
        live=LiveStatus(artifact="flights:one"),
        previous="flights:zero",
    )
    answer = {**msgspec.to_builtins(status), "mood": "sunny"}
    assert Status.of(answer) == status


def test_the_public_status_keeps_reasons_to_itself() -> None:
    """Errors contain names of files and processes, so they need the token; the public status
    only says that there is one.
    """
    shadow = ShadowStatus(artifact="flights:two", state="failing", error="cannot read /srv/a")
    status = Status(model="flights", ready=False, error="no file /srv/b", shadows=(shadow,))
    encoded = msgspec.json.encode(public(status))
    assert b"/srv" not in encoded
    assert b"failing" in encoded
    assert "token" in str(Status.of(msgspec.json.decode(encoded)).error)


def test_the_public_status_has_no_excuses() -> None:
    """They name people, and perhaps customers."""
    now = datetime.now(UTC)
    excuse = Excuse(owner="bob", until=now, feature="customer", value="ACME")
    recorded = RecordedExcuse(
        number=4, artifact="flights:two", excuse=excuse, at=now, by="ann", why="they moved"
    )
    status = Status(model="flights", ready=True, excuses=(recorded,))
    encoded = msgspec.json.encode(public(status))
    assert not [word for word in (b"bob", b"ann", b"ACME", b"moved") if word in encoded]
    assert Status.of(msgspec.json.decode(encoded)).excuses == ()


def test_shares_are_of_the_rows_that_were_compared() -> None:
    """With nothing compared, or nothing decided on, there is no share, rather than a zero."""
    shadow = ShadowStatus(
        artifact="a:1", scored=300, compared=200, disagreed=5, decided=100, flipped=1
    )
    assert (shadow.disagreement, shadow.flips) == (0.025, 0.01)
    assert ShadowStatus(artifact="a:1").disagreement is None
    assert ShadowStatus(artifact="a:1", scored=9, compared=9).flips is None


@pytest.mark.parametrize("answer", [{}, {"model": 3, "ready": True}])
def test_a_status_of_another_shape_is_refused(answer: dict[str, object]) -> None:
    """Wrong shapes are refused."""
    with pytest.raises(msgspec.ValidationError):
        Status.of(answer)

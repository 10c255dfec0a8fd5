"""The control routes that only read, over real HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from gnomon.api.log_query import CheckShadows, CountLabels, ExportAudit, MeasureQuality, WantLabels
from tests.service.standin import TOKEN, StandIn


def get(url: str, route: str, **query: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {TOKEN}"}
    return httpx.get(f"{url}/gnomon/{route}", params=query, headers=headers)


def test_gates_are_read_with_their_sentences(url: str, standin: StandIn) -> None:
    """Of one artifact or of all shadows; one that cannot be judged does not hide the others."""
    answer = get(url, "gates").json()
    assert answer["gates"][0]["verdict"] == "unknown"
    assert answer["gates"][0]["gates"][0]["says"] == "12 of 1,000 rows"
    assert answer["unevaluated"] == [{"artifact": "flights:three", "error": "there is no log"}]
    get(url, "gates", artifact="flights:two")
    assert standin.asked == [CheckShadows(), CheckShadows(artifact="flights:two")]


def test_the_query_says_what_is_asked(url: str, standin: StandIn) -> None:
    """Numbers and times are read from text."""
    time = "2026-11-29T10:00:00+01:00"
    assert get(url, "quality", artifact="flights:two", start=time).json()["model"] == "flights"
    wanted = get(url, "labels/wanted", artifact="flights:two", rows=50, metric="brier", end=time)
    assert wanted.json()["rows"][0]["request_id"] == "r-1"
    assert get(url, "labels").json()["received"] == 0
    at = datetime(2026, 11, 29, 9, tzinfo=UTC)
    assert standin.asked == [
        MeasureQuality(artifact="flights:two", start=at),
        WantLabels(artifact="flights:two", rows=50, metric="brier", end=at),
        CountLabels(),
    ]


A_TIME = "expected a time with an offset, such as 2026-11-29T10:00:00Z"
A_TAG = "expected the tag of an artifact, NAME:VERSION or NAME, in lower-case letters, digits,"


@pytest.mark.parametrize(
    ("route", "query", "where", "says"),
    [
        ("gates", {"tag": "flights:two"}, "?", "the keys here are artifact"),
        ("labels/wanted", {}, "?", "artifact"),
        ("labels/wanted", {"artifact": "a:b", "rows": "0"}, "?rows", ">= 1"),
        ("labels/wanted", {"artifact": "a:b", "rows": "few"}, "?rows", "int"),
        ("labels/wanted", {"artifact": "a:b", "metric": "auc"}, "?metric", "auc"),
        ("gates/on-history", {}, "?", "artifact"),
        ("quality/estimates", {"chunk_hours": "0"}, "?chunk_hours", "> 0"),
        ("quality/estimates", {"chunk_hours": "nan"}, "?chunk_hours", "float"),
        ("quality", {"start": "yesterday"}, "?start", f'{A_TIME}, got "yesterday" in a URL, +'),
        ("history/at", {"time": "0.5"}, "?time", f'{A_TIME}, got "0.5"'),
        ("quality", {"start": "1e9"}, "?start", f'{A_TIME}, got "1e9"'),
        ("quality", {"start": "2026-11-29T10:00:00"}, "?start", "such as 2026-11-29T10:00:00Z"),
        ("history/at", {"time": "9999-12-31T23:59:59-14:00"}, "?time", "from 0001-01-02 to 9999"),
        ("audit", {"start": "0001-01-01T00:00:00+14:00"}, "?start", "from 0001-01-02 to 9999"),
        ("quality", {"end": "9999-12-31T23:59:59Z"}, "?end", "from 0001-01-02 to 9999-12-30"),
        ("gates", {"artifact": ["a:b", "a:c"]}, "?", "once"),
        ("gates", {"artifact": "a:b\0"}, "?artifact", A_TAG),
        ("gates", {"artifact": "a:b\n"}, "?artifact", A_TAG),
        ("gates/on-history", {"artifact": "../a:b"}, "?artifact", A_TAG),
        ("quality", {"artifact": "A:b"}, "?artifact", A_TAG),
        ("quality/estimates", {"artifact": ""}, "?artifact", A_TAG),
        ("labels/wanted", {"artifact": "a:"}, "?artifact", A_TAG),
        ("history", {"last": "2"}, "?last", "/gnomon/history takes no parameters"),
        ("labels", {"start": "1"}, "?start", "takes no parameters in its URL, got `start`"),
        ("excuses", {"x": "1"}, "?x", "takes no parameters"),
        ("tokens", {"x": "1"}, "?x", "takes no parameters"),
        ("whoami", {"x": ""}, "?x", "takes no parameters"),
        ("status", {"x": "1"}, "?x", "takes no parameters"),
        ("gates", {str(n): "" for n in range(30)}, "?", "query"),
    ],
)
def test_a_wrong_query_is_refused_with_its_place(
    url: str, standin: StandIn, route: str, query: dict[str, Any], where: str, says: str
) -> None:
    """And nothing is computed for it."""
    answer = get(url, route, **query)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "invalid_request")
    assert error["where"].startswith(where)
    assert says in f"{error['message']} {error['hint']}"
    assert standin.asked == []


def test_a_busy_server_says_when_to_ask_again(url: str, standin: StandIn) -> None:
    """It does not let callers wait without end."""
    standin.busy = True
    answer = get(url, "quality")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
    assert answer.json()["error"]["code"] == "busy"


def test_an_audit_is_a_file(url: str, standin: StandIn) -> None:
    """``curl -OJ`` saves it under a name that says what it is."""
    answer = get(url, "audit", start="2026-11-29T10:00:00Z")
    assert answer.content == b"a tar archive"
    assert answer.headers["content-type"] == "application/x-tar"
    name = 'attachment; filename="audit-flights-1.tar"'
    assert answer.headers["content-disposition"] == name
    assert standin.asked == [ExportAudit(start=datetime(2026, 11, 29, 10, tzinfo=UTC))]


def test_the_history_says_what_answered_at_a_time(url: str, standin: StandIn) -> None:
    """With the decision, whose gates are the evidence."""
    state = get(url, "history/at", time=datetime.now(UTC).isoformat()).json()
    assert (state["live"], state["decision"]["kind"]) == ("flights:one", "promote")
    assert get(url, "history/at", time="2020-01-01T00:00:00Z").json()["live"] is None


def test_excuses_are_listed_also_when_expired(url: str, standin: StandIn) -> None:
    """The status has only those that have an effect."""
    assert get(url, "excuses").json() == {"excuses": []}

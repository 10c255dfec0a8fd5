"""The index page as text, and in a real browser."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import html
import re
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
import pytest

from gnomon.contract import Feature, Output
from gnomon.rollout.actor import Actor
from gnomon.service import pages
from gnomon.service.control_bodies import StartShadow
from gnomon.service.openapi.examples import example_row
from gnomon.service.status.automation_status import AutomationStatus, WatchStatus
from gnomon.service.status.slice_status import ShadowStatus
from gnomon.shadow.shadow_counts import OpenGate
from tests.service.browser import browse, needs_browser
from tests.service.standin import CONTRACT, StandIn

ANN = Actor(by="ann", authenticated="token ann")


def test_the_page_describes_every_field_of_the_contract(standin: StandIn) -> None:
    """Name, unit, domain, range and zone, and an example that the contract accepts."""
    page = pages.index(standin.status(), CONTRACT).decode()
    for feature in CONTRACT.features:
        assert f"<code>{feature.name}</code>" in page
    for words in ("float, miles", "AA, UA", "others are refused", "5 to 23", "America/New_York"):
        assert words in page
    shown = re.search(r"<textarea[^>]*>(.*?)</textarea>", page, re.DOTALL)
    assert shown is not None
    assert msgspec.json.decode(shown[1].replace("&#34;", '"')) == example_row(CONTRACT)


def test_the_page_says_what_was_allowed(standin: StandIn) -> None:
    """It is named, with what packing found; the page is silent if nothing was allowed."""
    allowed = {"batch_dependent": "3 of 24 rows differ alone at step `centre` <b>"}
    page = pages.index(standin.status(), CONTRACT, allowed).decode()
    assert (
        "<code>batch_dependent</code>: 3 of 24 rows differ alone at step `centre` &lt;b&gt;" in page
    )
    assert "was packed although" not in pages.index(standin.status(), CONTRACT).decode()


def test_the_page_describes_every_output(standin: StandIn) -> None:
    """Each of several targets, and a score next to a prediction."""
    several = msgspec.structs.replace(
        CONTRACT,
        task="classification",
        classes=(),
        outputs=(
            Output(name="prediction_hot", type="integer", target="hot", classes=(0, 1)),
            Output(name="prediction_wet", type="string", target="wet", classes=("no", "yes")),
            Output(name="score_hot", type="float", kind="score", target="hot"),
        ),
    )
    several.check()
    page = " ".join(pages.index(standin.status(), several).decode().split())
    assert "<code>prediction_hot</code> (integer: 0 or 1)," in page
    assert "<code>prediction_wet</code> (string: no or yes)" in page
    assert "and <code>score</code> in <code>targets</code> by name" in page


def test_the_page_loads_nothing_from_anywhere(standin: StandIn) -> None:
    """No address of another host; and its own policy forbids the browser to fetch one."""
    page = pages.index(standin.status(), CONTRACT).decode()
    assert set(re.findall(r"https?://[^\s'\"<)]+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://127.0.0.1:3000",
        "http://127.0.0.1:3000/predict",
    }
    assert re.findall(r'(?:src|href)="(?!/|data:)', page) == []
    assert "default-src 'none'" in page


def test_nothing_in_a_contract_or_status_becomes_markup(standin: StandIn) -> None:
    """Names and descriptions are shown as written."""
    evil = "</script><img src=x onerror=alert(1)>"
    feature = Feature(name="x", type="float", dtype="float64", description=evil, unit=evil)
    contract = msgspec.structs.replace(
        CONTRACT, features=(feature,), entity_key=(), event_time=None
    )
    status = msgspec.structs.replace(standin.status(), model=evil, previous=evil)
    page = pages.index(status, contract).decode()
    assert "<img" not in page


def test_the_page_shows_the_public_status_only(standin: StandIn) -> None:
    """It needs no token, so it holds the public status only."""
    asyncio.run(standin.start_shadow(StartShadow(artifact="flights:two", fraction=1.0), ANN))
    page = pages.index(standin.status(), CONTRACT)
    assert b"flights:two" in page
    assert b"/secret" not in page


def test_without_a_live_artifact_there_is_nothing_to_try(standin: StandIn) -> None:
    """The page still loads and says so."""
    status = msgspec.structs.replace(standin.status(), live=None, ready=False)
    page = pages.index(status, None).decode()
    assert "<form" not in page


def test_the_page_is_served(url: str) -> None:
    """It is UTF-8 HTML."""
    answer = httpx.get(url)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.text.startswith("<!doctype html>")


@needs_browser
@pytest.mark.slow
def test_a_browser_shows_the_finding_and_keeps_it_fresh(
    url: str, standin: StandIn, tmp_path: Path
) -> None:
    """The title and headline show what is live and how much its shadow disagrees, and are
    updated.
    """
    asyncio.run(standin.start_shadow(StartShadow(artifact="flights:two", fraction=1.0), ANN))
    shown = browse(url, tmp_path)
    finding = "one answers; its shadow disagrees on 2.50% of 200 rows"
    assert f"<title>flights: {finding}</title>" in shown
    assert re.search(rf"<h1[^>]*>{re.escape(finding)}</h1>", shown)
    assert "up to date" in shown
    assert f"curl {url}/predict" in shown


@needs_browser
@pytest.mark.slow
def test_a_browser_shows_commands_as_code_and_times_in_utc(
    url: str, standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gate says which command to run; a backtick without a partner stays one."""
    gates = (
        OpenGate(gate="skew", says="run `gnomon replay <two>` first"),
        OpenGate(gate="rows", says="a ` alone"),
    )
    shadow = ShadowStatus(artifact="flights:two", fraction=1.0, open_gates=gates)
    until = datetime(2026, 12, 1, 5, 59, 12, tzinfo=UTC)
    watch = WatchStatus(artifact="flights:one", previous="flights:zero", until=until)
    status = msgspec.structs.replace(
        standin.status(), shadows=(shadow,), automation=AutomationStatus(watch=watch)
    )
    monkeypatch.setattr(standin, "status", lambda: status)
    shown = browse(url, tmp_path)
    assert "skew: run <code>gnomon replay &lt;two&gt;</code> first" in shown
    assert "rows: a ` alone" in shown
    assert "watched until 2026-12-01 05:59:12 UTC" in shown


@needs_browser
@pytest.mark.slow
def test_a_browser_shows_the_noise_floor(
    url: str, standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apart from the shadows: nobody started it, and it is no candidate."""
    floor = ShadowStatus(artifact="flights:one", fraction=0.05, compared=12_000, disagreed=30)
    status = msgspec.structs.replace(standin.status(), noise_floor=floor)
    monkeypatch.setattr(standin, "status", lambda: status)
    shown = browse(url, tmp_path)
    assert "live scores 5% of requests twice" in shown
    assert "it disagrees with itself on 0.25% of 12,000 rows" in shown
    assert "No shadow is running" in shown


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize(
    ("decisions", "finding"), [(0, "has no live artifact yet"), (5, "is not serving yet")]
)
def test_a_browser_tells_a_starting_server_from_an_empty_one(
    url: str, standin: StandIn, tmp_path: Path, decisions: int, finding: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The live artifact may be decided and still be loading."""
    status = msgspec.structs.replace(standin.status(), live=None, ready=False, epoch=decisions)
    monkeypatch.setattr(standin, "status", lambda: status)
    assert f"<title>flights: flights {finding}</title>" in browse(url, tmp_path)


@needs_browser
@pytest.mark.slow
def test_a_browser_predicts(url: str, standin: StandIn, tmp_path: Path) -> None:
    """Pressing the button sends the example and shows the answer with its probabilities."""
    press = "document.querySelector('#try button').click()"
    digest = base64.b64encode(hashlib.sha256(press.encode()).digest()).decode()
    page = httpx.get(url).text.replace("script-src ", f"script-src 'sha256-{digest}' ")
    standin.page = page.replace("</body>", f"<script>{press}</script></body>").encode()
    shown = browse(url, tmp_path)
    assert '<p class="value">late</p>' in shown
    assert "0.7500" in shown
    assert "request r-1" in shown
    assert msgspec.json.decode(standin.bodies[0]) == example_row(CONTRACT)


@needs_browser
@pytest.mark.slow
def test_the_page_fits_a_small_phone(url: str, standin: StandIn, tmp_path: Path) -> None:
    """At 360 pixels no content is cut off nor scrolls sideways."""
    asyncio.run(
        standin.start_shadow(StartShadow(artifact="flights:" + "two" * 20, fraction=1.0), ANN)
    )
    page = html.escape(pages.index(standin.status(), CONTRACT).decode(), quote=True)
    measure = "this.title = this.contentDocument.documentElement.scrollWidth"
    standin.page = (
        f'<iframe style="width:360px;height:6000px;border:0" srcdoc="{page}"'
        f' onload="setTimeout(() => {{ {measure} }}, 500)"></iframe>'
    ).encode()
    assert 'title="360"' in browse(url, tmp_path)

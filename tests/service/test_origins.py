"""A page of another site, or a rebound name, reaches nothing: by rule, over HTTP, in a browser."""

from __future__ import annotations

import asyncio
import http.server
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from gnomon.errors import GnomonError, HostNotAllowed, OriginNotAllowed, SettingsError
from gnomon.log import InferenceLog
from gnomon.log.sampling import eligible
from gnomon.service.front_door import FrontDoor
from gnomon.service.http.asgi import Message, Receive, Scope, Send
from gnomon.service.origins import origins_of
from gnomon.service.slice.runtime import Runtime
from gnomon.settings import Settings
from gnomon.testing import Server, free_port, serving
from tests.packing import SCRIPT, install, times, write_service
from tests.service.browser import browse, needs_browser

ROW = {"x": 1.0, "id": "a"}
LISTED = "https://app.example.com"


def scope(path: str = "/predict", method: str = "POST", **headers: str) -> dict[str, Any]:
    """A request's scope; ``sec_fetch_site`` is the header ``sec-fetch-site``."""
    pairs = [(k.replace("_", "-").encode(), v.encode("latin-1")) for k, v in headers.items()]
    return {"path": path, "method": method, "headers": pairs}


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST:3000", "localhost.", "a.localhost:1", "127.0.0.1:3000",
        "10.1.2.3", "[::1]:3000", "[fe80::1]", "flights.example.com:443", "a.b.internal",
        "served.example.org:8080",
    ],
)  # fmt: skip
def test_names_of_the_server_and_addresses_are_hosts(host: str) -> None:
    """Loopback, what is listed, what ``url`` says, and any address with any port."""
    rules = origins_of(
        Settings(hosts="flights.example.com, *.internal", url="http://served.example.org:8080")
    )
    rules.check(scope(host=host))
    rules.check(scope(host=host))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "localhost.evil.example", "flights.example.com.evil.example",
        "127.0.0.1.evil.example", "internal", "notlocalhost", "evil.example:3000", "",
        "1.2.3.4.5", "a." * 30_000 + "localhost", "localhost@evil.example",
        "evil.example/localhost", "[::1", "local host",
    ],
)  # fmt: skip
def test_any_other_name_is_refused(host: str) -> None:
    """It is refused however much it looks like an allowed one; the error says what to set."""
    rules = origins_of(Settings(hosts="flights.example.com,*.internal"))
    with pytest.raises(HostNotAllowed, match="GNOMON_HOSTS="):
        rules.check(scope(host=host))
    origins_of(Settings(hosts="*")).check(scope(host=host))


def test_a_second_host_is_looked_at_too() -> None:
    """Whichever of them a proxy went by."""
    request = scope(host="localhost")
    request["headers"].append((b"host", b"evil.example"))
    with pytest.raises(HostNotAllowed):
        origins_of(Settings()).check(request)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://localhost:3000"},
        {"origin": "https://localhost:3000"},
        {"origin": LISTED},
        {"origin": LISTED.upper(), "sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-origin", "origin": "https://behind.a.proxy"},
        {"sec_fetch_site": "none"},
    ],
)
def test_own_and_listed_pages_and_programs_may_predict(headers: dict[str, str]) -> None:
    """A proxy may speak TLS, and call the server by another name: the browser knows better."""
    origins_of(Settings(origins=LISTED)).check(scope(host="localhost:3000", **headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://localhost:3001"},
        {"origin": "file://localhost:3000"},
        {"origin": "https://app.example.com.evil.example"},
        {"origin": "http://app.example.com"},
        {"origin": "http://localhost:3000", "sec_fetch_site": "cross-site", "host": "localhost:1"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"},
        {"sec_fetch_site": "anything"},
    ],
)
def test_a_page_of_another_site_is_refused(headers: dict[str, str]) -> None:
    """A page on another port of this machine, or without an origin of its own, is refused too."""
    with pytest.raises(OriginNotAllowed, match="GNOMON_ORIGINS"):
        origins_of(Settings(origins=LISTED)).check(scope(**{"host": "localhost:3000", **headers}))


def test_a_listed_page_may_only_send_predictions() -> None:
    """It may not read the status or make decisions."""
    rules = origins_of(Settings(origins=LISTED))
    for path in ("/status.json", "/metrics", "/gnomon/promote", "/predict/"):
        with pytest.raises(OriginNotAllowed):
            rules.check(scope(path, host="localhost", origin=LISTED))


def test_a_link_may_be_followed_but_not_framed() -> None:
    """A link from any page leads to the index page, in a full window."""
    link = {"host": "localhost", "sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    rules = origins_of(Settings())
    rules.check(scope("/", "GET", **link, sec_fetch_dest="document"))
    for path, method, kind in (("/", "GET", "iframe"), ("/", "POST", "document")):
        with pytest.raises(OriginNotAllowed):
            rules.check(scope(path, method, **link, sec_fetch_dest=kind))


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("hosts", "https://flights.example.com"),
        ("hosts", "a:80"),
        ("hosts", "fl*"),
        ("origins", "app.example.com"),
        ("origins", "https://app.example.com/"),
        ("origins", "null"),
    ],
)
def test_an_invalid_host_or_origin_is_refused_at_the_start(setting: str, text: str) -> None:
    """The error has the variable and an example."""
    with pytest.raises(SettingsError, match=f"example.com.*GNOMON_{setting.upper()}"):
        origins_of(Settings(**{setting: f"*,{text}"}))


@pytest.fixture(scope="module")
def page_port() -> int:
    """The port of the page that may send predictions."""
    return free_port()


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory,
    packed_once: Callable[[str, str, str], Path],
    page_port: int,
) -> Iterator[Server]:
    """One server of the toy model."""
    place = tmp_path_factory.mktemp("origins")
    home, deployment = place / "bentoml", place / "deployment"
    install(packed_once(times(1), "toy", SCRIPT), home)
    write_service(deployment)
    environment = {
        "BENTOML_HOME": str(home),
        "GNOMON_HOSTS": "flights.example.com",
        "GNOMON_ORIGINS": f"{LISTED}, http://localhost:{page_port}",
    }
    with serving(deployment, place / "root", environment=environment) as running:
        yield running


def books(server: Server) -> dict[str, int]:
    """Rows by outcome and by reason."""
    counted = httpx.get(f"{server.url}/status.json").json()["books"]
    return {name: counted[name] for name in ("received", "answered")} | counted["reasons"]


def refusals(server: Server) -> float:
    """How many requests were refused for their origin."""
    shown = httpx.get(f"{server.url}/metrics").text
    lines = re.findall(r'gnomon_requests_refused_total{code="origin_not_allowed".*} (.*)', shown)
    return sum(map(float, lines))


def raw(server: Server, head: str, body: bytes = b"") -> bytes:
    """The answer to a request as it is written here."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        length = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall((head + length).encode() + body)
        return b"".join(iter(lambda: connection.recv(65536), b""))


ROUTES = ("/", "/status.json", "/docs.json", "/metrics", "/livez", "/healthz", "/readyz",
          "/gnomon/status", "/nope", "/static_content/swagger-ui.css", "/schema.json")  # fmt: skip


@pytest.mark.slow
def test_every_route_checks_the_host(server: Server) -> None:
    """Gnomon's and BentoML's; a known name, an address and no name at all are answered."""
    for path in ROUTES:
        answer = httpx.get(server.url + path, headers={"host": "evil.example"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (421, "host_not_allowed")
        assert "GNOMON_HOSTS=evil.example" in answer.json()["error"]["hint"]
        known = httpx.get(server.url + path, headers={"host": "flights.example.com"})
        assert known.status_code == httpx.get(server.url + path).status_code != 421
        elsewhere = httpx.get(server.url + path, headers={"origin": LISTED})
        assert elsewhere.status_code == 403


@pytest.mark.slow
def test_a_refused_prediction_is_counted_and_logged_but_not_scored_by_shadows(
    server: Server,
) -> None:
    """Both ways in: it is rejected with its reason, without the body, and not scored by shadows."""
    before = books(server)
    body = json.dumps(ROW).encode()
    for headers in ("Host: evil.example\r\n", "Host: localhost\r\nOrigin: http://evil.example\r\n"):
        for more in ("", "Connection: close\r\n"):
            answer = raw(server, f"POST /predict HTTP/1.1\r\n{headers}{more}", body)
            assert answer.split()[1] in (b"421", b"403")
    after = books(server)
    for code in ("host_not_allowed", "origin_not_allowed"):
        reason = f"rejected:{code}"
        assert after[reason] == before.get(reason, 0) + 2
    assert after["received"] == before["received"] + 4
    assert after["answered"] == before["answered"]
    table = InferenceLog(server.settings, "toy").table(role="live")
    refused = [r for r in table.to_pylist() if (r["error_code"] or "").endswith("_not_allowed")]
    assert len(refused) >= 4
    assert not any(row["raw"] for row in refused)
    for batch in table.to_batches():
        mask = eligible(batch, (), 1.0)
        outcomes = [row["outcome"] for row in batch.to_pylist()]
        assert [bool(selected) for selected in mask] == [
            outcome == "answered" for outcome in outcomes
        ]
    shown = httpx.get(f"{server.url}/metrics").text
    assert re.search(r'gnomon_requests_refused_total{code="host_not_allowed".*} [1-9]', shown)


@pytest.mark.slow
def test_refused_hosts_and_origins_are_logged_up_to_a_limit(server: Server) -> None:
    """The operator sees which setting is missing, and a client cannot fill the log."""
    with httpx.Client(base_url=server.url) as client:
        for number in range(50):
            client.get("/", headers={"host": f"evil{number}.example"})
    lines = [line for line in server.log.read_text().splitlines() if "refused a request" in line]
    assert any("GNOMON_HOSTS=" in line for line in lines)
    assert len(lines) <= 20


@pytest.mark.slow
def test_a_listed_page_gets_answers_it_can_read(server: Server) -> None:
    """The preflight, the answer and an error alike; other pages get no such header."""
    preflight = {
        "origin": LISTED,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
    }
    allowed = httpx.options(f"{server.url}/predict", headers=preflight)
    assert (allowed.status_code, allowed.content) == (200, b"")
    assert allowed.headers["access-control-allow-origin"] == LISTED
    assert allowed.headers["access-control-allow-methods"] == "POST"
    for name in ("authorization", "content-encoding", "content-type"):
        assert name in allowed.headers["access-control-allow-headers"]
    lines = json.dumps(ROW).encode() + b"\n"
    sent = {"origin": LISTED, "content-type": "application/x-ndjson"}
    answer = httpx.post(f"{server.url}/predict", content=lines, headers=sent)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, LISTED)
    for row, status in ((ROW, 200), ({"x": "text"}, 422)):
        answer = httpx.post(f"{server.url}/predict", json=row, headers={"origin": LISTED})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == LISTED
        assert answer.headers["vary"] == "origin"
    refused = httpx.options(f"{server.url}/predict", headers=preflight | {"origin": "http://evil"})
    assert refused.status_code == 403
    plain = httpx.post(f"{server.url}/predict", json=ROW)
    for answer in (refused, plain):
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.slow
def test_answers_forbid_sniffing_and_framing(server: Server) -> None:
    """Each route says so in its headers, refusals too."""
    for path in ROUTES:
        for headers in ({}, {"host": "evil.example"}):
            answer = httpx.get(server.url + path, headers=headers)
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], path
            assert answer.headers.get_list("x-content-type-options") == ["nosniff"], path
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    body = json.dumps(ROW).encode()
    for more in ("", "Origin: http://localhost\r\n"):
        answer = raw(server, f"POST /predict HTTP/1.1\r\nHost: localhost\r\n{more}", body)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.lower().count(b"x-content-type-options: nosniff\r\n") == 1


class Refusing:
    """A slice that only counts what is refused."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.requests = self
        self.codes: list[str] = []

    def refused(self, error: GnomonError) -> None:
        self.codes.append(error.code)


def test_a_websocket_of_a_page_elsewhere_is_closed_before_it_opens() -> None:
    """A deployment may have one; browsers send any page's, with its origin."""
    reached: list[str] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope["path"])

    async def open_(headers: dict[str, str]) -> list[Message]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        request = scope("/socket", **headers) | {"type": "websocket"}
        del request["method"]
        await door(request, receive, send)
        return sent

    slice_ = Refusing()
    door = FrontDoor(inner, lambda: cast(Runtime, slice_))
    for headers in ({"origin": "http://evil.example"}, {"sec_fetch_site": "cross-site"}):
        closed = asyncio.run(open_({"host": "localhost", **headers}))
        assert closed == [{"type": "websocket.close", "code": 1008}]
    assert asyncio.run(open_({"host": "evil.example"})) != []
    assert slice_.codes == ["origin_not_allowed", "origin_not_allowed", "host_not_allowed"]
    asyncio.run(open_({"host": "localhost", "origin": "http://localhost"}))
    assert reached == ["/socket"]


@contextmanager
def page(text: str, port: int = 0) -> Iterator[str]:
    """A page on another port of this machine, until the block ends; its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler) as elsewhere:
        thread = threading.Thread(target=elsewhere.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{elsewhere.server_port}/"
        finally:
            elsewhere.shutdown()
            thread.join(20)


SEND = """<p id=said>nothing</p><script>
fetch("%s/predict", {method: "POST", mode: "%s", headers: {"content-type": "%s"},
                     body: '{"x": 1.0, "id": "a"}'})
  .then(answer => answer.text()).then(text => said.textContent = "read " + text)
  .catch(error => said.textContent = "failed");
</script>"""


@needs_browser
@pytest.mark.slow
def test_a_browser_sends_no_prediction_for_a_page_elsewhere(server: Server, tmp_path: Path) -> None:
    """It sends none even if the page could not read the answer."""
    before = books(server)
    with page(SEND % (server.url, "no-cors", "text/plain")) as address:
        browse(address, tmp_path)
    after = books(server)
    assert after["answered"] == before["answered"]
    assert after["rejected:origin_not_allowed"] == before.get("rejected:origin_not_allowed", 0) + 1


@needs_browser
@pytest.mark.slow
def test_a_browser_lets_a_listed_page_predict(
    server: Server, page_port: int, tmp_path: Path
) -> None:
    """The browser first asks leave to send JSON; the page reads the answer."""
    with page(SEND % (server.url, "cors", "application/json"), page_port) as address:
        shown = browse(address, tmp_path)
    assert '"prediction":1.0' in shown


@needs_browser
@pytest.mark.slow
def test_a_browser_shows_the_page_but_in_no_frame(server: Server, tmp_path: Path) -> None:
    """Its script and style run under the policy of the header."""
    shown = browse(server.url, tmp_path / "own")
    assert "up to date" in shown
    assert re.search(r"<h1[^>]*>[^<]+ answers</h1>", shown)
    parts = (
        f'<iframe src="{server.url}"></iframe><object data="{server.url}/status.json"></object>'
        f'<img src="{server.url}/metrics"><script src="{server.url}/docs.json"></script>'
    )
    before = refusals(server)
    with page(parts) as address:
        browse(address, tmp_path / "framed")
    assert refusals(server) == before + 4


@needs_browser
@pytest.mark.slow
def test_a_browser_reads_nothing_by_dns_rebinding(server: Server, tmp_path: Path) -> None:
    """The page's own name resolves to this server, so the browser treats it as the same origin."""
    port = server.url.rpartition(":")[2]
    shown = browse(
        f"http://evil.example:{port}/status.json",
        tmp_path,
        "--host-resolver-rules=MAP evil.example 127.0.0.1",
    )
    assert "host_not_allowed" in shown
    assert "answered" not in shown

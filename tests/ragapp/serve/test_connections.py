"""Silent, half-sent, slow and very many connections: each ends in time and with a word where one can be said, and
nobody who is being answered notices."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from ragapp.logs import log_path
from ragapp.serve.connections import Connections, Held, Limits, Why, counted_as
from ragapp.serve.wire import GuardedHttp

from .conftest import Service, wait_until

SOON = {"head_s": 0.6, "body_s": 0.6, "write_s": 0.6, "idle_s": 0.6, "leaving_s": 1.0, "every_s": 0.05}
"""Times at which nobody has to wait; what is sent in time comes at once on loopback."""
PATIENT = 30.0


def limit(office: Service, **changed: float) -> None:
    kept = office.house.connections
    kept.limits = replace(kept.limits, **changed)


def line(office: Service, source: str = "127.0.0.1") -> socket.socket:
    """A connection of its own, from one of loopback's many addresses."""
    address = urlsplit(office.url)
    return socket.create_connection((address.hostname or "", address.port or 0), PATIENT, (source, 0))


def rest(opened: socket.socket) -> bytes:
    """All that comes until the other end closes; a reset counts as that."""
    said = b""
    try:
        while more := opened.recv(65536):
            said += more
    except ConnectionResetError:
        pass
    return said


def live(opened: socket.socket) -> int:
    """The status of one request on a connection that goes on."""
    opened.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    said = b""
    while not said.endswith(b'"}'):
        more = opened.recv(4096)
        assert more, said
        said += more
    return status(said)


def status(said: bytes) -> int:
    return int(said.split(b" ", 2)[1])


def problem(said: bytes) -> dict[str, object]:
    """The body of a response that must be a problem of one sentence."""
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower(), said
    told = json.loads(body)
    assert told["status"] == status(said) and str(told["detail"]).rstrip(".").count(". ") == 0
    return dict(told)


def ended(office: Service, why: Why) -> float:
    name = "ragapp_connections_ended_total"
    return office.house.metrics.registry.get_sample_value(name, {"why": why}) or 0.0


@contextmanager
def crowd(
    office: Service, count: int, source: Callable[[int], str] = lambda _: "127.0.0.1"
) -> Iterator[list[socket.socket]]:
    with ExitStack() as opened:
        yield [opened.enter_context(line(office, source(number))) for number in range(count)]


def spread(number: int) -> str:
    return f"127.0.{1 + number // 200}.{1 + number % 200}"


# how long each may take


@pytest.mark.parametrize(
    "sent", [b"", b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: "], ids=["silent", "half a head"]
)
def test_who_never_comes_to_the_point_is_ended(office: Service, sent: bytes) -> None:
    limit(office, **SOON)
    with line(office) as opened:
        opened.sendall(sent)
        said = rest(opened)
    assert problem(said)["status"] == 408 if sent else not said
    assert ended(office, "too slow") == 1
    wait_until(lambda: len(office.house.connections) == 0)


def test_a_byte_now_and_then_buys_no_time(office: Service) -> None:
    limit(office, **SOON)
    with line(office) as opened:
        opened.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Drip: ")
        began = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - began < PATIENT:
                opened.sendall(b"x")
                time.sleep(0.05)
    assert ended(office, "too slow") == 1


@pytest.mark.parametrize("drip", [b"", b"x", b"1;" + b"e" * 20], ids=["nothing", "a byte", "a chunk's extension"])
def test_a_body_that_stalls_is_ended(office: Service, drip: bytes) -> None:
    limit(office, **SOON)
    length = b"Transfer-Encoding: chunked" if drip.startswith(b"1;") else b"Content-Length: 5000"
    with line(office) as opened:
        opened.sendall(
            b"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + length + b"\r\n\r\n"
        )
        opened.settimeout(0.05)
        said, began = b"", time.monotonic()
        while not said and time.monotonic() - began < PATIENT:
            opened.sendall(drip)
            try:
                said = opened.recv(4096)
            except TimeoutError:
                continue
    assert problem(said)["status"] == 408


def test_a_slow_upload_comes_through(office: Service) -> None:
    limit(office, **SOON | {"body_least": 1000})
    whole = b"# Slow\n\n" + b"The slow line carries on. " * 4000
    body = b'--b\r\nContent-Disposition: form-data; name="files"; filename="slow.md"\r\n\r\n' + whole + b"\r\n--b--\r\n"
    head = (
        f"POST /v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {office.token('root')}\r\n"
        f"Connection: close\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with line(office) as opened:
        opened.sendall(head.encode())
        for start in range(0, len(body), 3000):
            opened.sendall(body[start : start + 3000])
            time.sleep(0.05)
        assert status(rest(opened)) == 202
    assert office.house.spooling.bytes == 0


def test_an_idle_connection_is_kept_for_a_while_and_then_closed_without_a_word(office: Service) -> None:
    limit(office, **SOON | {"idle_s": 1.5})
    with line(office) as opened:
        for _ in range(3):
            assert live(opened) == 200
            time.sleep(0.7)
        assert rest(opened) == b""
    assert ended(office, "too slow") == 0


def test_who_does_not_read_is_cut_and_who_reads_slowly_is_not(office: Service) -> None:
    limit(office, **SOON | {"write_least": 1000})
    with office.client(office.token("root")) as root:
        document = root.get("/v1/documents", params={"find": "hours"}).json()["documents"][0]["id"]
    row = office.house.catalog.document(document)
    assert row
    original = office.house.rag.files.original(row.sha256)
    original.unlink()
    # more than all buffers on the way hold
    original.write_bytes(b"the lake is calm" * (2 << 20))
    asked = (
        f"GET /v1/documents/{document}/original HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {office.token('root')}\r\nConnection: close\r\n\r\n"
    ).encode()
    with line(office) as slow, line(office) as deaf:
        for opened in (slow, deaf):
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            opened.sendall(asked)
        got = 0
        while more := slow.recv(1 << 18):
            got += len(more)
            time.sleep(0.01)
        assert got > 32 << 20
        wait_until(lambda: ended(office, "too slow") == 1)
        assert len(rest(deaf)) < 32 << 20


# what may come


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /" + b"a" * 100_000, 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(200)) + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"c" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"c" * 100_000, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200, 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
    ],
    ids=["line", "half a line", "headers", "a header", "half a header", "TLS", "length", "encoding"],
)
def test_a_head_beyond_its_limits_is_answered_in_one_sentence(office: Service, sent: bytes, expected: int) -> None:
    with line(office) as opened:
        opened.sendall(sent)
        assert problem(rest(opened))["status"] == expected
    wait_until(lambda: len(office.house.connections) == 0)


def test_nothing_of_a_body_is_taken_before_it_is_known_who_sends_it(office: Service) -> None:
    head = b"POST /v1/documents HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    with line(office) as opened:
        # all of the body is still to come, and a sender that asks first isn't told to go on
        opened.sendall(head + b"Content-Length: 90000000\r\nExpect: 100-continue\r\n\r\n")
        said = rest(opened)
    assert problem(said)["status"] == 401 and b" 100 " not in said


@pytest.mark.parametrize("who", ["nobody", "bob"])
@pytest.mark.parametrize("sized", [True, False], ids=["with its length", "in chunks"])
def test_an_upload_of_those_who_may_not_is_answered_while_it_comes(office: Service, who: str, sized: bool) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="files"; filename="large.bin"\r\n\r\n' + b"x" * (40 << 20)
    headers = {"content-type": "multipart/form-data; boundary=b"}
    if who == "bob":
        headers["authorization"] = f"Bearer {office.token('bob')}"
    spooled = watched_spool()
    with office.client() as client:
        content = part if sized else (part[start : start + 65536] for start in range(0, len(part), 65536))
        answer = client.post("/v1/documents", content=content, headers=headers)
    assert answer.status_code == (401 if who == "nobody" else 403)
    assert answer.json()["detail"].count(". ") == 0
    assert watched_spool() == spooled and office.house.spooling.bytes == 0


def watched_spool() -> int:
    """How many deleted files, as spooled uploads are, this process has open."""
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found += str(descriptor.readlink()).endswith("(deleted)")
        except OSError:
            continue
    return found


def test_who_is_unknown_sends_few_bytes_where_anybody_may_send(office: Service) -> None:
    with office.client() as nobody:
        large = nobody.post("/v1/session", json={"name": "ada", "password": "p" * 20_000})
        pieces = (b"x" * 1000 for _ in range(40))
        chunked = nobody.post("/v1/session", content=pieces, headers={"content-type": "application/json"})
        formed = nobody.post("/sign-in", data={"name": "n" * 20_000})
    assert [large.status_code, chunked.status_code, formed.status_code] == [413, 413, 413]
    assert "16 KiB" in large.json()["detail"]


def test_a_body_beyond_its_limit_is_too_large_however_it_is_sent(office: Service) -> None:
    with office.client(office.token("root")) as root:
        for path in ("/v1/groups", "/v1/answers", "/openai/v1/chat/completions", "/mcp"):
            pieces = (b" " * 65536 for _ in range(40))
            answer = root.post(path, content=pieces, headers={"content-type": "application/json"})
            assert answer.status_code == 413, (path, answer.text)


def test_uploads_at_once_are_bounded_by_person_and_in_all(office: Service) -> None:
    office.house.spooling.each = 3 << 20
    body = b"--b\r\n" + b'Content-Disposition: form-data; name="files"; filename="a.bin"\r\n\r\n' + b"x" * (2 << 20)
    head = (
        f"POST /v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {office.token('root')}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {4 << 20}\r\n\r\n"
    ).encode()
    with line(office) as first, line(office) as second:
        first.sendall(head + body)
        wait_until(lambda: office.house.spooling.bytes >= 2 << 20)
        second.sendall(head + body)
        said = rest(second)
        assert problem(said)["status"] == 429 and b"retry-after" in said.lower()
    # whoever leaves takes along what they sent
    wait_until(lambda: office.house.spooling.bytes == 0)


def test_a_full_disk_is_said_before_the_upload(office: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ragapp.serve.bodies.fits_the_disk", lambda count: count < 1000)
    with office.signed_in("root") as root:
        answer = root.post("/v1/documents", files={"files": ("a.md", b"x" * 2000)})
    assert answer.status_code == 507


# how many there may be


def test_where_all_places_are_taken_the_silent_make_room(office: Service) -> None:
    limit(office, most=20)
    with crowd(office, 20, spread), office.client() as person:
        for _ in range(30):
            assert person.get("/health/live", headers={"connection": "close"}).status_code == 200
        assert ended(office, "made room") >= 1 and ended(office, "too many") == 0


def test_who_is_known_keeps_their_place(office: Service) -> None:
    limit(office, most=10, each=10)
    with office.client(office.token("ada")) as ada, office.client(office.token("root")) as root:
        assert ada.get("/v1/session").status_code == 200
        assert root.get("/v1/session").status_code == 200
        before = {held for held in office.house.connections._held if held.known}
        with crowd(office, 40, spread):
            assert ada.get("/v1/session").status_code == 200
            assert before <= office.house.connections._held, "nobody known had to go"


def test_one_address_has_so_many_and_no_more(office: Service) -> None:
    limit(office, each=5)
    with (
        crowd(office, 5, lambda _: "127.0.0.9") as many,
        line(office, "127.0.0.9") as one,
        line(office, "127.0.0.8") as other,
    ):
        # the oldest of its own silent ones makes room
        for opened in (one, other):
            assert live(opened) == 200
        assert rest(many[0]) == b""
    assert ended(office, "made room") == 1


def test_whoever_finds_no_place_is_told_to_come_again(office: Service) -> None:
    """All places are taken by uploads of people who are signed in."""
    limit(office, each=4)
    head = (
        f"POST /v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {office.token('root')}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 4000\r\n\r\n--b\r\n"
    ).encode()
    with crowd(office, 4, lambda _: "127.0.0.9") as many:
        for opened in many:
            opened.sendall(head)
        wait_until(lambda: sum(held.known for held in office.house.connections._held) == 4)
        with line(office, "127.0.0.9") as late:
            late.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            said = rest(late)
    assert problem(said)["status"] == 503 and b"Retry-After: 5" in said
    assert ended(office, "too many") == 1


def test_behind_a_proxy_each_visitor_counts_for_themselves(office: Service) -> None:
    limit(office, each=2)
    kept = office.house.connections
    kept.proxies = [ip_network("127.0.0.0/8")]
    visits = [kept.visit(scope(forwarded="203.0.113.9")) for _ in range(3)]
    assert [visit.begin() for visit in visits] == [True, True, False]
    assert kept.visit(scope(forwarded="203.0.113.10")).begin()
    assert all(kept.visit(scope()).begin() for _ in range(9)), "the proxy's own and the page's process"
    visits[0].end()
    assert kept.visit(scope(forwarded="203.0.113.9")).begin()
    with crowd(office, 6, lambda _: "127.0.0.7") as many:
        assert [live(opened) for opened in many] == [200] * 6


def scope(forwarded: str = "") -> dict[str, object]:
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    return {"type": "http", "headers": headers, "client": (forwarded or "127.0.0.7", 1)}


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::1", "::1"),
        ("somebody", "somebody"),
    ],
)
def test_an_address_is_counted_as_its_network(host: str, counted: str) -> None:
    assert counted_as(host) == counted


# WebSockets


def test_a_websocket_of_nobody_is_refused_and_counts_no_more(office: Service) -> None:
    for _ in range(3):
        with pytest.raises(InvalidStatus), connect(f"ws{office.url[4:]}/app/_stcore/stream", proxy=None):
            pass
    wait_until(lambda: len(office.house.connections) == 0)


# many requests in one piece, and what is written down


def test_no_answer_waits_until_the_other_end_has_said_that_it_got_the_last(office: Service) -> None:
    """Else a head's body, and each word of a stream, comes 40 ms late."""
    with line(office) as opened:
        assert live(opened) == 200
        wires = [held.speaker for held in office.house.connections._held]
        options = [wire._wire.get_extra_info("socket") for wire in wires if isinstance(wire, GuardedHttp)]
    assert options and all(each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for each in options)


def test_requests_sent_all_at_once_are_answered_one_after_the_other(office: Service) -> None:
    with line(office) as opened:
        opened.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
        said = b""
        while said.count(b"HTTP/1.1 200") < 500:
            more = opened.recv(65536)
            assert more
            said += more
            assert len(office.house.connections) == 1


def test_a_flood_of_nonsense_is_few_lines_in_the_log(office: Service) -> None:
    path = log_path(office.house.settings)
    with office.client() as nobody:
        nobody.get("/health/live")
    # it is written when the answer is on its way already
    wait_until(path.exists)
    before = len(path.read_text().splitlines())
    for _ in range(200):
        with line(office) as opened:
            opened.sendall(b"nonsense\r\n\r\n")
            assert status(rest(opened)) == 400
    with office.client() as nobody:
        assert all(nobody.get("/v1/session").status_code == 401 for _ in range(200))
    written = path.read_text().splitlines()[before:]
    assert 0 < len(written) < 30, f"{len(written)} lines"


# the keeper by itself


class Silent:
    """A connection that says nothing."""

    def __init__(self, kept: Connections) -> None:
        self.kept, self.why = kept, ""
        self.held: Held

    def unsent(self) -> int:
        return 0

    def reads(self) -> bool:
        return True

    def end(self, why: Why) -> None:
        self.why = why
        self.cut()

    def cut(self) -> None:
        self.kept.gone(self.held)


async def test_room_is_made_first_by_the_address_that_has_the_most() -> None:
    kept = Connections(Limits(most=40, each=30))
    came = []
    for number in range(40):
        speaker = Silent(kept)
        speaker.held, room = kept.take(speaker, "192.0.2.1" if number % 4 else f"198.51.100.{number}")
        assert room
        came.append(speaker)
    for _ in range(5):
        speaker = Silent(kept)
        speaker.held, room = kept.take(speaker, "203.0.113.5")
        assert room
    gone = [number for number, speaker in enumerate(came) if speaker.why]
    assert gone and all(number % 4 for number in gone) and gone == sorted(gone)

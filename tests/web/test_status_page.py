"""The status page over real HTTP: what it shows, whom it answers, and what it withstands."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from edge.clock import VirtualClock
from edge.errors import InputError
from edge.journal.lines import encode
from edge.journal.picture_files import picture_name, pictures_folder
from edge.records import PartRecord
from edge.web.command import passed_socket, serve_status_page
from edge.web.server import CONNECTION_S, MOST_CONNECTIONS, StatusHandler, StatusServer
from edge.web.view import Sources, Viewpoint

NOW_S = 1_800_000_000.0
REQUEST = b"GET / HTTP/1.1\r\nHost: brickgate.local\r\n\r\n"
JPEG = b"\xff\xd8 a small picture \xff\xd9"


def record(part_id: int, number: str = "3001", bin_name: str = "bricks", reason: str = "certain") -> PartRecord:
    return PartRecord(
        part_id, NOW_S, 1, 2, 3, ((number, 0.98),), (("Red", 0.9),), bin_name, bin_name, reason, "", 0.98, (), 0.1
    )


class Folder:
    """Everything that a page reads, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.sources = Sources(folder / "state.json", folder / "j.jsonl", folder / "bins.yaml", folder / "notes")

    def state(self, **values: object) -> None:
        self.sources.state_file.write_text(json.dumps({"state": "sorting", "reason": "", "since": NOW_S, **values}))

    def parts(self, *records: PartRecord) -> None:
        with self.sources.journal.open("ab") as file:
            file.writelines(map(encode, records))

    def picture(self, part_id: int, data: bytes = JPEG) -> None:
        folder = pictures_folder(self.sources.journal)
        folder.mkdir(exist_ok=True)
        (folder / picture_name(part_id)).write_bytes(data)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


class Site:
    """A server on a port of its own, and the clocks that it goes by."""

    def __init__(self, sources: Sources, admits: Callable[[str], bool]) -> None:
        self.now_s = NOW_S
        self.clock = VirtualClock()
        viewpoint = Viewpoint(sources, lambda: "brickgate", lambda: self.now_s)
        self.server = StatusServer(viewpoint, ("127.0.0.1", 0), self.clock, admits=admits)
        self.port: int = self.server.server_address[1]

    def ask(self, path: str = "/", method: str = "GET", host: str = "brickgate.local") -> tuple[HTTPResponse, str]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, headers={"Host": host})
            response = connection.getresponse()
            return response, response.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def text(self, path: str = "/") -> str:
        return self.ask(path)[1]

    def later(self, duration_s: float) -> None:
        self.now_s += duration_s


@contextmanager
def serving(folder: Folder, admits: Callable[[str], bool] = lambda address: True) -> Iterator[Site]:
    site = Site(folder.sources, admits)
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.server.shutdown()
        site.server.server_close()
        thread.join(10)


def test_it_shows_what_the_machine_does_and_on_what(folder: Folder) -> None:
    folder.state(since=NOW_S - 130, accelerator="Coral USB", ms_per_look=6.34, version="0.1.0", address="192.168.1.23")
    with serving(folder) as site:
        response, text = site.ask()
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert '<section class="banner sorting"><h1>Sorting</h1>' in text
    assert "for 2 minutes" in text
    assert "<dt>Accelerator</dt><dd>Coral USB, 6.3 ms a look</dd>" in text
    assert "<dt>Address</dt><dd>192.168.1.23</dd>" in text
    assert "Wrong in the configuration" not in text


def test_safe_mode_shows_the_reason_each_error_and_the_way_in_before_the_parts(folder: Folder) -> None:
    folder.state(
        state="safe-mode",
        reason="The configuration has errors.",
        config_errors=["machine.yaml:12: belt: 'fast' is no number", "bins.yaml:7: no gate <b>'frist'</b>"],
    )
    folder.parts(record(1))
    assert folder.sources.notes_file
    folder.sources.notes_file.write_text("A terminal: `ssh maker@brickgate.local`\n")
    with serving(folder) as site:
        text = site.text()
    assert "Safe mode: the machine stands still" in text
    assert "The configuration has errors." in text
    assert "<li>machine.yaml:12: belt: &#x27;fast&#x27; is no number</li>" in text
    assert "no gate &lt;b&gt;" in text
    assert text.index("<code>ssh maker@brickgate.local</code>") < text.index("Last parts")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "The sorting service has not reported"),
        ("", "holds no state that can be read"),
        ("[1]", "holds no state that can be read"),
        ("[" * 100_000, "holds no state that can be read"),
        (" " * 300_000, "holds no state that can be read"),
        ('{"state": "dancing", "reason": "why not"}', "calls its state &#x27;dancing&#x27;"),
        ('{"state": 7, "since": "noon", "config_errors": "all"}', "No word from the sorter"),
    ],
)
def test_a_state_that_is_missing_or_none_is_told_and_never_an_error(
    folder: Folder, content: str | None, says: str
) -> None:
    if content is not None:
        folder.sources.state_file.write_text(content)
    with serving(folder) as site:
        response, text = site.ask()
    assert response.status == 200
    assert "No word from the sorter" in text
    assert says in text


@pytest.mark.parametrize(
    ("state", "said_s_ago", "shown"),
    [
        ("sorting", 12.0, "Sorting"),
        ("sorting", 12.1, "It sorted when it was last heard of, 12 s ago"),
        ("stopped", 3600.0, "Stopped"),  # It says so once.
    ],
)
def test_a_machine_that_sorts_and_falls_silent_is_not_taken_to_sort(
    folder: Folder, state: str, said_s_ago: float, shown: str
) -> None:
    folder.state(state=state, at=NOW_S - said_s_ago)
    with serving(folder) as site:
        assert shown in site.text()
        told = json.loads(site.text("/state.json"))["machine"]["state"]
    assert told == ("unknown" if "last heard" in shown else state)


def test_a_state_file_that_may_not_be_read_is_named(folder: Folder) -> None:
    folder.sources.state_file.mkdir()
    with serving(folder) as site:
        assert "cannot be read (Is a directory)" in site.text()


def test_the_last_parts_come_newest_first_each_once_and_as_last_corrected(folder: Folder) -> None:
    folder.state()
    folder.parts(record(1), record(2, "3023", "plates"), record(1, bin_name="box", reason="refused"))
    folder.picture(2)
    folder.picture(1, JPEG[:-2])
    with folder.sources.journal.open("ab") as file:
        file.write(encode(record(3))[:-9])
    with serving(folder) as site:
        text = site.text()
        picture, _ = site.ask("/parts/00000002.jpg")
        broken, _ = site.ask("/parts/00000001.jpg")
    assert text.count("<li><img") + text.count('<li><span class="blank">') == 2
    assert text.index("Plate 1 x 2") < text.index("Brick 2 x 4")
    assert '<span class="bin">box</span> <i>a gate could not be had in time</i>' in text
    assert 'src="/parts/00000002.jpg"' in text
    assert (picture.status, picture.headers["Content-Type"]) == (200, "image/jpeg")
    assert broken.status == 404


def test_of_a_large_journal_only_the_end_is_read(folder: Folder) -> None:
    folder.state()
    folder.parts(*(record(number) for number in range(1, 2001)))
    with serving(folder) as site:
        found = json.loads(site.text("/state.json"))
    assert [part["part_id"] for part in found["parts"]] == list(range(2000, 1991, -1))


def test_parts_of_the_file_before_are_shown_when_a_new_one_was_begun(folder: Folder) -> None:
    folder.state()
    folder.parts(record(1), record(2))
    folder.sources.journal.rename(folder.sources.journal.with_name("j.jsonl.1"))
    folder.parts(record(3))
    with serving(folder) as site:
        assert [part["part_id"] for part in json.loads(site.text("/state.json"))["parts"]] == [3, 2, 1]


BINS = """
default_bin: box
layout: {gate: g1, left: bricks, right: plates, pass: box}
bins:
  - {name: bricks, full_after: 40, accept: [{category: Brick}]}
  - {name: plates, holds_l: 0.5, accept: [{category: Plate}]}
"""


def test_bins_show_how_full_they_are_by_parts_and_by_room(folder: Folder) -> None:
    folder.state()
    assert folder.sources.bins_file
    folder.sources.bins_file.write_text(BINS)
    folder.sources.journal.with_name("j.jsonl.bins").write_text(
        '{"bricks": [10, 0.1], "plates": [7, 0.6], "box": [1, 0]}'
    )
    with serving(folder) as site:
        text = site.text()
        folder.sources.bins_file.write_text("bins: nonsense\n")
        site.later(2)
        without_limits = json.loads(site.text("/state.json"))["bins"]
    assert "<td>25% · 10 parts</td>" in text
    assert "<td>full · 7 parts</td>" in text
    assert "<th>box</th><td></td><td>1 part</td>" in text
    assert [(level["name"], level["parts"], level["share"]) for level in without_limits] == [
        ("bricks", 10, None), ("plates", 7, None), ("box", 1, None),
    ]  # fmt: skip


def test_a_broken_library_keeps_the_reason_from_nobody(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.state(state="safe-mode", reason="the program cannot be started")
    folder.parts(record(1))
    for module in ("edge.journal.lines", "edge.routing.fill_file"):
        monkeypatch.setitem(sys.modules, module, None)  # importing it raises ImportError
    with serving(folder) as site:
        assert "the program cannot be started" in site.text()


def test_many_looks_within_a_second_cost_one_reading(folder: Folder) -> None:
    folder.state(reason="the first word")
    with serving(folder) as site:
        assert "the first word" in site.text()
        folder.state(reason="the second word")
        assert "the first word" in site.text()
        site.later(1)
        assert "the second word" in site.text()
        folder.state(reason="the third word")
        site.later(-3600)
        assert "the third word" in site.text(), "a clock that was set back must not freeze the page"


def test_head_gives_the_headers_alone_and_nothing_else_is_known(folder: Folder) -> None:
    folder.state()
    with serving(folder) as site:
        with socket.create_connection(("127.0.0.1", site.port), timeout=20) as peer:
            peer.sendall(REQUEST.replace(b"GET", b"HEAD"))
            with peer.makefile("rb") as answer:
                headers, end, body = answer.read().partition(b"\r\n\r\n")
        assert headers.startswith(b"HTTP/1.0 200 OK")
        assert (end, body) == (b"\r\n\r\n", b"")
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert site.ask(method=method)[0].status == 501
        for path in ("/../state.json", "/parts/../../etc/passwd", "/parts/1.jpg", "/index.html", "/parts/"):
            assert site.ask(path)[0].status == 404


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_executed(folder: Folder) -> None:
    folder.state()
    folder.parts(record(1))
    with serving(folder) as site:
        response, text = site.ask()
        style = site.text("/page.css")
    assert "<script" not in text
    assert "//" not in text.replace("<code>http://brickgate.local</code>", "")
    assert "url(" not in style
    assert "@import" not in style
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("brickgate.local", 200), ("brickgate", 200), ("BRICKGATE.fritz.box:80", 200), ("192.168.1.23:80", 200),
        ("[fe80::1]:80", 200), ("localhost:8080", 200), ("evil.example", 421),
        ("brickgate-evil.example", 421), ("brickgate.evil.example", 421), ("", 421),
    ],
)  # fmt: skip
def test_a_name_that_is_not_this_machines_is_refused(folder: Folder, host: str, status: int) -> None:
    folder.state()
    with serving(folder) as site:
        assert site.ask(host=host)[0].status == status


def test_a_peer_from_elsewhere_gets_no_answer(folder: Folder) -> None:
    folder.state()
    asked: list[str] = []

    def admits(address: str) -> bool:
        asked.append(address)
        return False

    with serving(folder, admits) as site, socket.create_connection(("127.0.0.1", site.port), timeout=20) as peer:
        assert peer.recv(100) == b""
    assert asked == ["127.0.0.1"]


def test_slow_peers_hold_no_place_for_long(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.state()
    monkeypatch.setattr(StatusHandler, "timeout", None)  # they are not silent: they send a byte now and then
    with serving(folder) as site:
        slow = [socket.create_connection(("127.0.0.1", site.port), timeout=20) for _ in range(MOST_CONNECTIONS)]
        for peer in slow:
            peer.sendall(b"GET / HT")
        one_too_many = socket.create_connection(("127.0.0.1", site.port), timeout=20)
        with one_too_many, suppress(ConnectionError):
            one_too_many.sendall(REQUEST)
            assert one_too_many.recv(100) == b"", "all places are taken"
        site.clock.advance(CONNECTION_S)
        for peer in slow:
            assert peer.recv(100) == b"", "its time is up"
            peer.close()
        assert site.ask()[0].status == 200


def test_nonsense_and_peers_that_hang_up_leave_it_serving(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    folder.state()
    with serving(folder) as site:
        for data in (
            b"",
            b"\x16\x03\x01\x02\x00",
            b"GET /\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200,
            b"X" * 70_000,
        ):
            with socket.create_connection(("127.0.0.1", site.port), timeout=20) as peer:
                peer.sendall(data)
        assert site.ask()[0].status == 200
    assert capsys.readouterr().err == ""


def test_it_serves_on_a_socket_that_the_service_manager_opened(folder: Folder) -> None:
    folder.state()
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    viewpoint = Viewpoint(folder.sources, lambda: "brickgate", lambda: NOW_S)
    server = StatusServer(viewpoint, ("127.0.0.1", 1), VirtualClock(), listening)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("environment", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}])
def test_a_socket_for_another_process_is_left_alone(environment: dict[str, str]) -> None:
    assert passed_socket(environment) is None


def test_a_port_that_is_taken_is_said_in_a_line(folder: Folder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"127.0.0.1:{port} cannot be listened on .*--port"):
            serve_status_page(folder.sources, "127.0.0.1", port, print, {})

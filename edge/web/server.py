"""The status page's own small web server: reading only, the local network only, bounded in every way.

It is a process of its own, so that no viewer, however many or slow, can keep the machine from its work.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from edge.clock import Clock
from edge.journal.picture_files import picture_of
from edge.web import page
from edge.web.access import is_local, is_own_name, search_domains
from edge.web.view import Viewpoint

MOST_CONNECTIONS = 8
CONNECTION_S = 10.0
"""A connection is cut after that, whatever it does: nobody can hold a place by reading or sending slowly."""
SILENCE_S = 5.0
MOST_PICTURE_BYTES = 1_000_000
_STYLE = Path(__file__).with_name("page.css")
_PICTURE = re.compile(r"/parts/(\d{8,12})\.jpg")
_HEADERS = (
    ("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)


class StatusServer(ThreadingHTTPServer):
    """Serves on a socket that listens already, or on one of its own.

    Args:
        listening: a socket that a service manager has opened; else `address` is bound.
        clock: connections are timed by it.
        admits: whether a peer may look, by its address.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(
        self,
        viewpoint: Viewpoint,
        address: tuple[str, int],
        clock: Clock,
        listening: socket.socket | None = None,
        admits: Callable[[str], bool] = is_local,
    ) -> None:
        super().__init__(address, StatusHandler, bind_and_activate=listening is None)
        if listening is not None:
            self.socket.close()
            self.socket = listening
            self.server_address = listening.getsockname()
        self.viewpoint, self._clock, self._admits = viewpoint, clock, admits
        self._lock = threading.Lock()
        self._open: dict[socket.socket, float] = {}

    def server_bind(self) -> None:
        # HTTPServer's own asks the network for this machine's full name, which can take seconds and is not needed.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Peers from elsewhere, and those that come when all places are taken, get no answer."""
        if not self._admits(client_address[0]):
            return False
        with self._lock:
            if len(self._open) >= MOST_CONNECTIONS:
                return False
            self._open[request] = self._clock.now_s() + CONNECTION_S
        return True

    def service_actions(self) -> None:
        """Called twice a second while serving: cuts the connections whose time is up."""
        now_s = self._clock.now_s()
        with self._lock:
            late = [request for request, until_s in self._open.items() if now_s >= until_s]
            for request in late:
                del self._open[request]
        for request in late:
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A viewer that went away is no error, and one that sends nonsense is told so: nothing is logged."""


class StatusHandler(BaseHTTPRequestHandler):
    """One request, one answer. `HEAD` is `GET` without the body; nothing else is known."""

    server: StatusServer  # pyright: ignore[reportIncompatibleVariableOverride]
    timeout = SILENCE_S
    server_version, sys_version = "brickgate", ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Nothing: a log of every look would only fill the card."""

    def _answer(self, *, with_body: bool) -> None:
        host = self.headers.get("Host", "localhost")
        if not is_own_name(host, self.server.viewpoint.hostname(), search_domains()):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return
        path = self.path.partition("?")[0]
        content = self._content(path)
        if content is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        kind, body = content
        self.send_response(HTTPStatus.OK)
        keep = "max-age=60" if kind in ("image/jpeg", "text/css") else "no-store"
        for name, value in (
            ("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", keep), *_HEADERS,
        ):  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def _content(self, path: str) -> tuple[str, bytes] | None:
        """(media type, bytes) of a path; None where there is nothing."""
        viewpoint = self.server.viewpoint
        if path == "/":
            return "text/html; charset=utf-8", page.to_html(viewpoint.look()).encode()
        if path == "/state.json":
            return "application/json", page.to_json(viewpoint.look()).encode()
        if path == "/page.css":
            return "text/css", _STYLE.read_bytes()
        if found := _PICTURE.fullmatch(path):
            return _picture(viewpoint.sources.journal, int(found[1]))
        return None


def _picture(journal: Path, part_id: int) -> tuple[str, bytes] | None:
    file = picture_of(journal, part_id)
    try:
        with file.open("rb") if file else contextlib.nullcontext() as stream:
            return ("image/jpeg", stream.read(MOST_PICTURE_BYTES)) if stream else None
    except OSError:
        return None

"""`brickgate status-page`: serves the page until it is told to stop."""

from __future__ import annotations

import argparse
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edge.clock import MonotonicClock
from edge.entry import tell
from edge.errors import InputError
from edge.service_manager import STATE_FILE
from edge.web.server import StatusServer
from edge.web.view import Sources, Viewpoint

FIRST_PASSED_SOCKET = 3
"""sd_listen_fds(3): the first socket that systemd passes has this number."""


def main(words: Sequence[str]) -> int:
    """Serves as the words of the command line say. Returns the exit code."""
    options = _parse(words)
    sources = Sources(options.state, options.journal, options.bins, options.notes)
    serve_status_page(sources, options.listen, options.port, tell)
    return 0


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "brickgate status-page", description="Serves the read-only status page to the local network."
    )
    parser.add_argument("--state", type=Path, default=STATE_FILE, help="what the service writes")
    parser.add_argument("--journal", type=Path, default=Path("brickgate-journal.jsonl"))
    parser.add_argument("--bins", type=Path, help="bins.yaml, to show how full the bins are")
    parser.add_argument("--notes", type=Path, help="lines on how to get in, shown as they are")
    parser.add_argument("--listen", default="0.0.0.0", help="address to listen on; default: every one")
    parser.add_argument("--port", type=int, default=8080)
    return parser.parse_args(words)


def serve_status_page(
    sources: Sources, listen: str, port: int, say: Callable[[str], None], environment: Mapping[str, str] = os.environ
) -> None:
    """Serves on the socket that systemd passed, or else on `listen` and `port`.

    Raises:
        InputError: the port cannot be had.
    """
    viewpoint = Viewpoint(sources, socket.gethostname, time.time)
    try:
        server = StatusServer(viewpoint, (listen, port), MonotonicClock(), passed_socket(environment))
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{listen}:{port} cannot be listened on ({why}): give another --port, such as 8080") from error
    with server:
        say(f"the status page is on http://{server.server_address[0]}:{server.server_address[1]}")
        server.serve_forever()


def passed_socket(environment: Mapping[str, str]) -> socket.socket | None:
    """The socket that systemd opened for this process (LISTEN_FDS, LISTEN_PID); None where it passed none."""
    if environment.get("LISTEN_PID") != str(os.getpid()) or environment.get("LISTEN_FDS", "0") == "0":
        return None
    return socket.socket(fileno=FIRST_PASSED_SOCKET)

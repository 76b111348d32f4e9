"""network.yaml of the boot partition: what it may say, and what is wrong with it, line by line.

Whatever is valid holds; a mistake in one line must not cost the way in that another line gives.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.catalogue.spelling import did_you_mean
from edge.config.document import Document, read_document

HOSTNAME = "brickgate"
_KEY_KINDS = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-", "sk-ssh-ed25519", "sk-ecdsa-sha2-")


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """What the file asks for; empty where it asks for nothing."""

    hostname: str = HOSTNAME
    wifi_name: str = ""
    wifi_password: str = ""
    """Empty for an open network."""
    wifi_country: str = ""
    password: str = ""
    password_hash: str = ""
    ssh_keys: tuple[str, ...] = ()
    time_server: str = ""

    @property
    def has_login(self) -> bool:
        """Whether anybody can log in over the network."""
        return bool(self.password or self.password_hash or self.ssh_keys)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value must look like; `advice` is what a finding says of one that does not."""

    holds: Callable[[str], bool]
    advice: str


_RULES: dict[tuple[str, ...], Rule] = {
    ("hostname",): Rule(
        lambda text: bool(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text)),
        "give small letters, digits and hyphens, such as brickgate-2",
    ),
    ("wifi", "name"): Rule(lambda text: 1 <= len(text.encode()) <= 32, "a Wi-Fi name has 1 to 32 bytes"),
    ("wifi", "password"): Rule(
        lambda text: bool(re.fullmatch(r"[ -~]{8,63}|[0-9a-fA-F]{64}", text)),
        "a Wi-Fi password has 8 to 63 plain characters",
    ),
    ("wifi", "country"): Rule(
        lambda text: bool(re.fullmatch(r"[A-Z]{2}", text)), "give two capitals, such as GB or DE"
    ),
    ("login", "password"): Rule(
        lambda text: 8 <= len(text) <= 200 and text.isprintable(), "give at least 8 characters on one line"
    ),
    ("login", "password_hash"): Rule(
        lambda text: bool(re.fullmatch(r"\$(6|5|y|2b)\$[^\s:]{20,}", text)), "give what `openssl passwd -6` prints"
    ),
    ("time_server",): Rule(
        lambda text: bool(re.fullmatch(r"[A-Za-z0-9.:-]{1,253}", text)),
        "give a name or an address, such as pool.ntp.org",
    ),
}  # fmt: skip
_SECTIONS = {"wifi": ("name", "password", "country"), "login": ("password", "password_hash", "ssh_key")}
_TOP = ("hostname", "wifi", "login", "time_server")


def read_network(file: Path) -> tuple[NetworkSettings, list[str]]:
    """What the file asks for, and a line for each mistake. A file that is missing or empty asks for nothing."""
    if not file.exists() or not file.read_bytes().strip():
        return NetworkSettings(), []
    document = read_document(file)
    if document.findings:
        # A file of comments alone asks for nothing.
        return NetworkSettings(), [str(finding) for finding in document.findings if finding.message != "is empty"]
    if not isinstance(document.value, dict):
        return NetworkSettings(), [str(document.finding((), "give settings, each as hostname: brickgate"))]
    return _Reading(document).settings()


class _Reading:
    """One reading of a document: takes values, and notes what is wrong with them."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._wrong: list[str] = []

    def settings(self) -> tuple[NetworkSettings, list[str]]:
        self._find_unknown((), _TOP)
        for name, known in _SECTIONS.items():
            self._find_unknown((name,), known)
        name = self._take("wifi", "name")
        if not name and self._document.get(("wifi",)) is not None:
            self._note(("wifi",), "name is missing: give the name of the Wi-Fi network")
        settings = NetworkSettings(
            self._take("hostname") or HOSTNAME,
            name,
            self._take("wifi", "password"),
            self._take("wifi", "country"),
            self._take("login", "password"),
            self._take("login", "password_hash"),
            self._keys(),
            self._take("time_server"),
        )
        if name and self._document.get(("wifi", "password")) is not None and not settings.wifi_password:
            # A password that was mistyped must not make an open network of it.
            settings = NetworkSettings(**{**_values(settings), "wifi_name": ""})
        return settings, self._wrong

    def _find_unknown(self, path: tuple[str, ...], known: tuple[str, ...]) -> None:
        value = self._document.get(path) if path else self._document.value
        if value is None:
            return
        if not isinstance(value, dict):
            self._note(path, f"give {' and '.join(known)} below it, each on a line of its own")
            return
        for key in value:
            if key not in known:
                self._note((*path, key), f"no such setting{did_you_mean(str(key), known) or '; ' + ', '.join(known)}")

    def _take(self, *path: str) -> str:
        value = self._document.get(path)
        if value is None:
            return ""
        rule = _RULES[path]
        text = value if isinstance(value, str) else None
        if text is None and isinstance(value, int) and not isinstance(value, bool):
            self._note(path, "put it in quotes: a number loses its leading zeros")
        elif text is None or not rule.holds(text):
            self._note(path, rule.advice)
        else:
            return text
        return ""

    def _keys(self) -> tuple[str, ...]:
        path = ("login", "ssh_key")
        value = self._document.get(path)
        found = (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ()
        good = tuple(key.strip() for key in found if isinstance(key, str) and _is_key(key.strip()))
        if value is not None and len(good) != max(len(found), 1):
            self._note(path, "give the line of a .pub file, beginning with ssh-ed25519 or ssh-rsa")
        return good

    def _note(self, path: tuple[Any, ...], message: str) -> None:
        self._wrong.append(str(self._document.finding(path, message)))


def _values(settings: NetworkSettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in NetworkSettings.__slots__}


def _is_key(text: str) -> bool:
    kind, _, rest = text.partition(" ")
    return kind.startswith(_KEY_KINDS) and bool(re.match(r"[A-Za-z0-9+/=]{40,}( |$)", rest)) and text.isprintable()

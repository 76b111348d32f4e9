"""network.yaml: what is valid holds, what is not is told by its line, and neither keeps the other from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.system.image.network import NetworkSettings, read_network

SHIPPED = Path(__file__).parents[2] / "edge" / "system" / "image" / "boot" / "network.yaml"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF5mG0jHh2mFjXg3b2m2Dq4jQvJx0W0q9mYt4c7N2kQe me@laptop"


def read(tmp_path: Path, text: str) -> tuple[NetworkSettings, list[str]]:
    file = tmp_path / "network.yaml"
    file.write_text(text, encoding="utf-8")
    settings, wrong = read_network(file)
    return settings, [line.removeprefix(str(tmp_path) + "/") for line in wrong]


def test_everything_it_can_say(tmp_path: Path) -> None:
    settings, wrong = read(
        tmp_path,
        f"""\
hostname: brickgate-2
wifi: {{name: "Café net", password: "se'cr\\"et 1", country: GB}}
login: {{password: correct horse, ssh_key: ["{KEY}", "{KEY}"]}}
time_server: pool.ntp.org
""",
    )
    assert wrong == []
    assert settings == NetworkSettings(
        "brickgate-2", "Café net", "se'cr\"et 1", "GB", "correct horse", "", (KEY, KEY), "pool.ntp.org"
    )


def test_as_it_is_shipped_it_asks_for_nothing_and_each_line_holds_when_its_hash_goes(tmp_path: Path) -> None:
    assert read_network(SHIPPED) == (NetworkSettings(), [])
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    uncommented = "\n".join(line.removeprefix("# ") for line in lines[1:]).replace("ssh-ed25519 AAAA… me@laptop", KEY)
    settings, wrong = read(tmp_path, uncommented)
    assert wrong == []
    assert (settings.wifi_name, settings.wifi_country, settings.time_server) == ("My Wi-Fi", "GB", "pool.ntp.org")
    assert settings.has_login


@pytest.mark.parametrize("text", ["", "\n\n", "# hostname: x\n"])
def test_an_empty_file_asks_for_nothing(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == (NetworkSettings(), [])


def test_no_file_asks_for_nothing(tmp_path: Path) -> None:
    assert read_network(tmp_path / "network.yaml") == (NetworkSettings(), [])


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    settings, wrong = read(tmp_path, "\ufeffhostname: kiste\r\nwifi:\r\n  name: a\r\n  password: 'eightchr'\r\n")
    assert (settings.hostname, settings.wifi_password, wrong) == ("kiste", "eightchr", [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hostname: Brick_gate", "network.yaml:1: hostname: give small letters, digits and hyphens"),
        ("wifi: {nane: a}", "network.yaml:1: wifi.nane: no such setting; did you mean 'name'?"),
        ("wlan: {}", "network.yaml:1: wlan: no such setting; hostname, wifi, login, time_server"),
        ("wifi: home", "network.yaml:1: wifi: give name and password and country below it, each on a line of its own"),
        ("wifi:\n  password: longenough", "network.yaml:1: wifi: name is missing: give the name of the Wi-Fi network"),
        ("wifi:\n  name: a\n  password: 12345678", "network.yaml:3: wifi.password: put it in quotes: a number"),
        ("wifi:\n  name: a\n  password: short", "network.yaml:3: wifi.password: a Wi-Fi password has 8 to 63 plain"),
        ("wifi: {name: a, country: uk}", "network.yaml:1: wifi.country: give two capitals, such as GB or DE"),
        ("login:\n  password: short", "network.yaml:2: login.password: give at least 8 characters on one line"),
        ("login:\n  password: \"two\\nlines of it\"", "network.yaml:2: login.password: give at least 8 characters"),
        ("login:\n  password_hash: secret", "network.yaml:2: login.password_hash: give what `openssl passwd"),
        ("login:\n  ssh_key: my key", "network.yaml:2: login.ssh_key: give the line of a .pub file"),
        ("time_server: 'a b'", "network.yaml:1: time_server: give a name or an address, such as pool.ntp.org"),
        ("hostname: [", "network.yaml:"),
        ("- hostname", "network.yaml:1: give settings, each as hostname: brickgate"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_by_its_line(tmp_path: Path, text: str, says: str) -> None:
    _, wrong = read(tmp_path, text)
    assert [line for line in wrong if line.startswith(says)], wrong


def test_a_mistake_costs_no_other_line(tmp_path: Path) -> None:
    settings, wrong = read(tmp_path, f"hostname: 7\nwifi: {{name: a, password: x}}\nlogin: {{ssh_key: '{KEY}'}}\n")
    assert len(wrong) == 2
    assert settings.ssh_keys == (KEY,)
    assert settings.hostname == "brickgate"


def test_a_wifi_with_a_wrong_password_is_not_tried_as_an_open_one(tmp_path: Path) -> None:
    settings, _ = read(tmp_path, "wifi: {name: a, password: short}\n")
    assert settings.wifi_name == ""
    assert read(tmp_path, "wifi: {name: a}\n")[0].wifi_name == "a"

"""Two systems on one card: an update is tried once and stays only if it is healthy, under both kinds of firmware."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from image_card import Card, PiFirmware

from edge.errors import InputError
from edge.system.image.slot import HEALTHY_WITHIN_S, check, install, status

SILENT: Callable[[str], None] = lambda line: None  # noqa: E731


@pytest.fixture(params=["pi", "efi"])
def card(request: pytest.FixtureRequest, tmp_path: Path) -> Card:
    card = Card(tmp_path, request.param)
    card.state("sorting")
    return card


def said(card: Card) -> list[str]:
    lines: list[str] = []
    status(card.machine(), lines.append)
    return lines


def test_a_new_card_runs_a_and_holds_nothing_in_b(card: Card) -> None:
    assert said(card) == ["a: 1.0, runs, starts by default", "b: nothing"]


def test_a_healthy_update_stays(card: Card) -> None:
    lines: list[str] = []
    install(card.machine(), card.update(), lines.append)
    assert lines[-1] == "restarting into 2.0; if it does not become healthy, 1.0 comes back by itself"
    assert card.start() == "b"
    assert check(card.machine(), lines.append) is None
    assert lines[-1] == "2.0 is healthy and stays"
    assert said(card) == ["a: 1.0", "b: 2.0, runs, starts by default"]
    assert [card.start() for _ in range(3)] == ["b"] * 3
    assert check(card.machine(), SILENT) is None
    assert len(card.commands) == 1


def test_an_update_that_never_starts_is_gone_at_the_next_power_on(card: Card) -> None:
    install(card.machine(), card.update(), SILENT)
    assert card.start() == "b"  # it panics, and the kernel restarts
    assert card.start() == "a"
    assert check(card.machine(), SILENT) == "The update to 2.0 did not become healthy: 1.0 runs again"
    assert check(card.machine(), SILENT) is None, "it is told once"
    assert [card.start() for _ in range(3)] == ["a"] * 3
    assert card.commands[1:] == [], "nothing restarts any more"


@pytest.mark.parametrize(
    ("state", "page", "why"),
    [
        ("safe-mode", True, "the machine is in state safe-mode: no model"),
        ("starting", True, "the machine is in state starting: no model"),
        ("sorting", False, "the status page does not answer"),
    ],
)
def test_an_update_that_is_not_healthy_restarts_into_the_other(card: Card, state: str, page: bool, why: str) -> None:
    install(card.machine(), card.update(), SILENT)
    card.start()
    card.state(state, "no model")
    card.page = page
    lines: list[str] = []
    check(card.machine(), lines.append)
    assert lines == [f"2.0 is not healthy ({why}): back to 1.0"]
    assert HEALTHY_WITHIN_S <= card.clock.now_s() < HEALTHY_WITHIN_S + 5
    assert card.commands[-1] == ("systemctl", "reboot")
    assert card.start() == "a"
    assert check(card.machine(), SILENT) == "The update to 2.0 did not become healthy: 1.0 runs again"


def test_a_service_that_comes_and_goes_is_not_healthy(card: Card) -> None:
    install(card.machine(), card.update(), SILENT)
    card.start()
    looks = iter(range(10_000))
    machine = card.machine()

    def flapping() -> bool:
        return next(looks) % 5 != 0

    object.__setattr__(machine, "page_answers", flapping)
    lines: list[str] = []
    check(machine, lines.append)
    assert lines[0].startswith("2.0 is not healthy")


def test_a_configuration_that_was_bad_before_is_not_the_updates_fault(card: Card) -> None:
    card.state("safe-mode", "machine.yaml:3: …")
    install(card.machine(), card.update(), SILENT)
    card.start()
    lines: list[str] = []
    check(card.machine(), lines.append)
    assert lines == ["2.0 is healthy and stays"]


def test_updates_go_to_and_fro(card: Card) -> None:
    for number, slot in enumerate("baba", start=2):
        install(card.machine(), card.update(f"{number}.0"), SILENT)
        assert card.start() == slot
        assert (card.boot / f"slot-{slot}" / "cmdline.txt").read_text() == f"console=tty1 ro brickgate.slot={slot}\n"
        check(card.machine(), SILENT)
        assert card.start() == slot
    assert said(card) == ["a: 5.0, runs, starts by default", "b: 4.0"]


def test_after_one_that_failed_another_can_be_tried(card: Card) -> None:
    install(card.machine(), card.update(), SILENT)
    assert [card.start(), card.start()] == ["b", "a"]
    check(card.machine(), SILENT)
    install(card.machine(), card.update("3.0"), SILENT)
    assert card.start() == "b"
    check(card.machine(), SILENT)
    assert card.start() == "b"


def test_power_that_fails_before_the_restart_leaves_the_old_one_or_tries_the_new(card: Card) -> None:
    install(card.machine(), card.update(), SILENT)
    if isinstance(card.firmware, PiFirmware):
        card.firmware.tryboot = False  # the flag is in memory that the power keeps
        assert card.start() == "a"
    else:
        assert card.start() == "b"


def test_a_system_on_trial_takes_no_update(card: Card) -> None:
    install(card.machine(), card.update(), SILENT)
    card.start()
    with pytest.raises(InputError, match="on trial itself"):
        install(card.machine(), card.update("3.0"), SILENT)


def test_an_update_that_is_bad_leaves_the_next_start_as_it_was(card: Card) -> None:
    bad = card.update()
    bad.write_bytes(bad.read_bytes()[:2000])
    with pytest.raises(InputError):
        install(card.machine(), bad, SILENT)
    assert card.commands == []
    assert not card.machine().trial_file.exists()
    assert [card.start() for _ in range(2)] == ["a", "a"]


@pytest.mark.parametrize("content", ["", "{", '{"slot": 3}', "[]"])
def test_a_damaged_note_of_a_trial_is_none(card: Card, content: str) -> None:
    card.machine().trial_file.parent.mkdir()
    card.machine().trial_file.write_text(content)
    assert check(card.machine(), SILENT) is None
    assert card.commands == []

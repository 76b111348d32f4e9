"""While a machine sorts, the state is written beside the control path; and what a killed process left on is put off."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from edge.clock import VirtualClock
from edge.config import example
from edge.config.load import load_machine
from edge.errors import HardwareError
from edge.service_state import Sorting, StateFile
from edge.still import make_still


def machine_with(accelerator, *, held=()):
    return SimpleNamespace(devices=SimpleNamespace(accelerator=accelerator), safety=SimpleNamespace(held=held))


def test_accelerator_and_milliseconds_follow_what_runs(tmp_path):
    now_s = 1000.0
    accelerator = SimpleNamespace(name="edgetpu (litert)", s_per_look=None)
    machine = machine_with(accelerator)
    sorting = Sorting(StateFile(tmp_path, lambda: now_s, lambda: now_s))

    def told():
        sorting.refresh(machine)
        return json.loads((tmp_path / "state.json").read_text())

    first = told()
    assert (first["state"], first["accelerator"], first["ms_per_look"]) == ("sorting", "edgetpu (litert)", None)
    accelerator.name, accelerator.s_per_look = "cpu (litert)", 0.01234
    now_s = 1100.0
    second = told()
    assert (second["accelerator"], second["ms_per_look"], second["since"]) == ("cpu (litert)", 12.3, 1000.0)
    machine.safety.held = ("the gates are too busy",)
    third = told()
    assert (third["reason"], third["since"]) == ("held: the gates are too busy", 1100.0)
    now_s = 1102.0
    assert (told()["since"], told()["at"]) == (1100.0, 1102.0)


def test_a_clock_that_is_set_after_the_start_changes_nothing_of_how_long_it_sorts(tmp_path):
    set_s, clock = 0.0, VirtualClock()
    file = StateFile(tmp_path, lambda: clock.now_s() + set_s, clock.now_s)
    sorting = Sorting(file)
    for jump_s in (0.0, 8 * 3600.0, -3600.0):
        set_s = jump_s
        sorting.refresh(machine_with(SimpleNamespace(name="cpu")))
        told = json.loads((tmp_path / "state.json").read_text())
        assert told["at"] - told["since"] == clock.now_s()
        clock.advance(20.0)


def test_nothing_is_written_after_the_end(tmp_path):
    file = StateFile(tmp_path)
    sorting = Sorting(file)
    sorting.begin(machine_with(SimpleNamespace(name="cpu")))
    sorting.end()
    file.write("stopped", "the end")
    assert json.loads((tmp_path / "state.json").read_text())["state"] == "stopped"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["issue", "state.json"]


def test_the_console_takes_no_escape_from_a_reason(tmp_path):
    StateFile(tmp_path).write("safe-mode", r"C:\d", config_errors=[f"line {n}" for n in range(30)])
    issue = (tmp_path / "issue").read_text()
    assert r"C:\\d" in issue
    assert "line 4" in issue
    assert "line 5" not in issue
    assert len(json.loads((tmp_path / "state.json").read_text())["config_errors"]) == 20


class Left:
    """A device that a killed process left on."""

    def __init__(self):
        self.on = True

    def close(self):
        self.on = False


def test_still_reaches_every_device_whatever_becomes_of_the_others(monkeypatch):
    feeder, gate, said = Left(), Left(), []

    def broken(*_):
        raise HardwareError("belt motor: pin 17 is taken")

    monkeypatch.setattr("edge.still.make_belt_motor", broken)
    monkeypatch.setattr("edge.still.make_feeder", lambda config: feeder)
    monkeypatch.setattr("edge.still.make_gates", lambda config, clock: {"first": gate})
    config = load_machine(example("beginner-4") / "machine.yaml")
    assert not make_still(config, VirtualClock(), said.append)
    assert (feeder.on, gate.on) == (False, False)
    assert said == ["not switched off: belt motor: pin 17 is taken: do it by hand"]


@pytest.mark.parametrize("name", ["beginner-4"])
def test_a_simulated_machine_has_nothing_to_switch_off(name):
    said = []
    assert not make_still(load_machine(example(name) / "machine.yaml"), VirtualClock(), said.append)
    assert all("is simulated" in line for line in said)

"""Faults come when they were asked for, and do what they say."""

from __future__ import annotations

import numpy as np
import pytest
from truth_machine import TruthMachine

from edge.catalogue.colours import load_colours
from edge.sim.belt import EncoderFault
from edge.sim.build import SimMachine, build
from edge.sim.camera import CameraFault
from edge.sim.disk import SimDisk
from edge.sim.faults import FAULTS
from edge.sim.gates import GateFault
from edge.sim.settings import BeltSettings, CameraSettings, FeedSettings, GateSettings, Layout, SimSettings


@pytest.fixture
def machine() -> SimMachine:
    gate = GateSettings("g1", 300.0, ("pass", "push"), "pass")
    layout = Layout("g1", {"g1": {"pass": "rest", "push": "a"}}, "rest")
    camera = CameraSettings(width_px=320, height_px=180, px_per_mm=1.25, region_px=(0, 15, 320, 165))
    belt = BeltSettings(belt_mm_per_s=100, ripple=0.0, ramp_s=0.0, tick_error=0.0)
    settings = SimSettings((gate,), layout, belt=belt, feed=FeedSettings(parts=10), camera=camera)
    built = build(settings, load_colours(), seed=1)
    built.camera.start()
    built.world.encoder.start()
    built.world.belt_motor.start()
    return built


def test_a_planned_fault_strikes_at_its_instant_and_is_logged(machine):
    machine.faults.at(2.0, lambda board: board.stall_belt())
    machine.faults.at(3.0, lambda board: board.stall_belt(False))
    machine.world.advance_to(5.0)
    assert machine.world.belt.travel_mm == pytest.approx(400, abs=1.0)
    assert [what for _, what in machine.faults.log] == ["belt stalled", "belt free"]
    assert [time_s for time_s, _ in machine.faults.log] == pytest.approx([2.0, 3.0])


def test_the_belts_speed_jumps(machine):
    machine.faults.at(1.0, lambda board: board.belt_speed(1.5))
    machine.world.advance_to(3.0)
    assert machine.world.belt.travel_mm == pytest.approx(400, abs=1.5)


def test_a_stuck_gate_lets_parts_pass_where_it_stands(machine):
    world = machine.world
    world.gates["g1"].move_to("push")
    machine.faults.at(1.0, lambda board: board.break_gate(GateFault.STUCK))
    world.advance_to(1.5)
    world.gates["g1"].move_to("pass")
    world.feeder.set_rate(60)
    world.run()
    assert {part.bin for part in world.truth} == {"a"}


def test_camera_and_encoder_fail_and_recover(machine):
    machine.faults.break_encoder(EncoderFault.DROPPED)
    machine.faults.fail_camera(CameraFault.FROZEN)
    first, second = machine.camera.next_frame(1.0), machine.camera.next_frame(1.0)
    assert np.array_equal(first.image_bgr, second.image_bgr)
    assert first.belt_mm == second.belt_mm == 0.0
    machine.faults.break_encoder(EncoderFault.NONE)
    machine.faults.repair_camera(CameraFault.FROZEN)
    third = machine.camera.next_frame(1.0)
    assert third.belt_mm == pytest.approx(100 / 12, abs=1.0)
    assert not np.array_equal(second.image_bgr, third.image_bgr)


@pytest.mark.parametrize("name", [name for name, kind in FAULTS.items() if kind.repair])
def test_what_a_fault_breaks_its_repair_makes_whole(name):
    board, kind = TruthMachine().faults, FAULTS[name]
    board.disk = SimDisk()
    board.world.encoder.start()
    sound = state(board)
    kind.inject(board)
    if name != "gate-stuck-open":  # sticks only once it diverts
        assert state(board) != sound
    assert kind.repair is not None
    kind.repair(board)
    assert state(board) == sound


def state(board):
    world, sensor = board.world, next(iter(board.sensors.values()))
    belt = world.belt.stalled, world.belt.slip, world.belt.speed_factor
    faults = [device.fault for device in (world.gates[board.gate_name], world.feeder, board.accelerator)]
    hidden = [device._fault for device in (world.encoder, board.disk, sensor)]
    return board.camera.faults, belt, faults, hidden, list(world.mishaps._jams_mm)

"""The simulated devices keep the contracts of `edge.hardware.interfaces`."""

from __future__ import annotations

import numpy as np
import pytest

from edge.errors import HardwareError
from edge.sim.belt import EncoderFault
from edge.sim.feeder import FeederFault
from edge.sim.gates import GateFault
from edge.sim.sensors import SensorFault, SimSensor, SimSensorSettings
from edge.sim.settings import BeltSettings


def test_a_gate_tells_its_name_and_refuses_an_unknown_position(make_world):
    gate = make_world().gates["g1"]
    assert (gate.name, gate.positions, gate.rest) == ("g1", ("left", "pass", "right"), "pass")
    with pytest.raises(ValueError, match="g1 has no position 'up': use one of left, pass, right"):
        gate.move_to("up")
    assert not gate.commands


def test_a_closed_gate_goes_to_rest_once_and_refuses_to_move(make_world):
    gate = (world := make_world()).gates["g1"]
    gate.move_to("left")
    world.advance_to(1.0)
    gate.close()
    gate.close()
    assert [position for _, position in gate.commands] == ["left", "pass"]
    assert gate.coordinate(2.0) == 1.0
    with pytest.raises(HardwareError, match="gate g1"):
        gate.move_to("left")


def test_a_gate_is_in_position_after_latency_and_travel(make_world):
    gate = (world := make_world()).gates["g1"]
    world.advance_to(1.0)
    gate.move_to("left")
    assert gate.coordinate(1.0199) == 1.0
    assert gate.coordinate(1.07) == pytest.approx(0.5)
    assert gate.coordinate(1.1201) == 0.0


def test_the_feeder_refuses_a_negative_rate_and_work_after_its_end(make_world):
    feeder = make_world().feeder
    with pytest.raises(ValueError, match="below 0"):
        feeder.set_rate(-1)
    feeder.close()
    feeder.close()
    feeder.set_rate(0)
    with pytest.raises(HardwareError, match="feeder"):
        feeder.set_rate(10)


def test_a_feeder_at_zero_feeds_nothing(make_world):
    world = make_world(parts=5)
    world.feeder.set_rate(0)
    world.advance_to(30.0)
    assert world.truth == []
    assert world.feeder.rates == [60.0, 0]


def test_the_belt_ramps_up_and_stops(make_world):
    world = make_world(belt=BeltSettings(belt_mm_per_s=100, ripple=0.0, ramp_s=0.5))
    world.advance_to(0.25)
    assert 40 < world.belt.speed_mm_per_s < 60
    world.advance_to(2.0)
    assert world.belt.speed_mm_per_s == pytest.approx(100)
    world.belt_motor.stop()
    world.advance_to(3.0)
    stood_mm = world.belt.travel_mm
    world.advance_to(4.0)
    assert world.belt.travel_mm == stood_mm
    world.belt_motor.close()
    with pytest.raises(HardwareError, match="belt motor"):
        world.belt_motor.start()


def test_ripple_stays_within_its_share(make_world):
    world = make_world(belt=BeltSettings(belt_mm_per_s=100, ripple=0.1, ramp_s=0.0))
    speeds = []
    world.on_tick(lambda now_s: speeds.append(world.belt.speed_mm_per_s))
    world.advance_to(20.0)
    assert 90 <= min(speeds) < 95
    assert 105 < max(speeds) <= 110


def test_the_encoder_counts_whole_ticks_and_never_goes_back(make_world):
    world = make_world()
    readings = []
    world.on_tick(lambda now_s: readings.append(world.encoder.belt_mm()))
    world.advance_to(5.0)
    assert readings == sorted(readings)
    assert all(reading % 0.25 == 0 for reading in readings)
    assert 0 <= world.belt.travel_mm - readings[-1] < 0.25 + 1e-9


def test_the_encoder_misses_what_passes_while_it_is_dropped(make_world):
    world = make_world()
    world.advance_to(1.0)
    world.encoder.break_down(EncoderFault.DROPPED)
    before_mm = world.encoder.belt_mm()
    world.advance_to(2.0)
    assert world.encoder.belt_mm() == before_mm
    world.encoder.break_down(EncoderFault.NONE)
    world.advance_to(3.0)
    assert world.encoder.belt_mm() == pytest.approx(world.belt.travel_mm - 100, abs=0.5)


def test_an_encoder_is_read_only_between_start_and_close(make_world):
    encoder = make_world().encoder
    encoder.close()
    with pytest.raises(HardwareError, match="after it was closed"):
        encoder.belt_mm()
    with pytest.raises(HardwareError, match="encoder"):
        encoder.start()


@pytest.mark.parametrize(("fault", "share"), [(EncoderFault.FLAKY, 0.6), (EncoderFault.BOUNCING, 1.4)])
def test_a_bad_encoder_counts_too_little_or_too_much(make_world, fault, share):
    world = make_world()
    world.advance_to(1.0)
    before_mm = world.encoder.belt_mm()
    world.encoder.break_down(fault)
    world.advance_to(3.0)
    assert world.encoder.belt_mm() - before_mm == pytest.approx(share * 200, abs=1.0)
    world.encoder.break_down(EncoderFault.GONE)
    with pytest.raises(HardwareError, match="does not answer"):
        world.encoder.belt_mm()


def test_a_slipping_belt_falls_behind_its_encoder(make_world):
    world = make_world()
    world.belt.slip = 0.25
    world.advance_to(4.0)
    assert world.belt.travel_mm == pytest.approx(300, abs=1.0)
    assert world.encoder.belt_mm() == pytest.approx(400, abs=1.5)


def test_a_feeder_runs_empty_runs_on_and_goes_mute(make_world):
    world = make_world(parts=40, parts_per_min=60)
    world.feeder.fault = FeederFault.EMPTY
    world.advance_to(10.0)
    assert not world.truth
    world.feeder.fault = FeederFault.NONE
    world.advance_to(15.0)
    world.feeder.fault = FeederFault.STUCK_ON
    world.feeder.set_rate(0)
    before = len(world.truth)
    world.advance_to(20.0)
    assert len(world.truth) >= before + 4
    world.feeder.fault = FeederFault.NONE
    before = len(world.truth)
    world.advance_to(25.0)
    assert len(world.truth) <= before + 1
    world.feeder.fault = FeederFault.MUTE
    with pytest.raises(HardwareError, match="feeder"):
        world.feeder.set_rate(0)


def test_a_double_feed_comes_once(make_world):
    world = make_world(parts=6)
    world.feeder.double_next = True
    world.run()
    assert [part.touching for part in world.truth] == [True, True, False, False, False, False]


def test_a_mute_gate_stands_where_it_is_and_says_so(make_world):
    gate = (world := make_world()).gates["g1"]
    gate.move_to("left")
    world.advance_to(1.0)
    gate.break_down(GateFault.MUTE)
    with pytest.raises(HardwareError, match="gate g1"):
        gate.move_to("pass")
    assert gate.coordinate(2.0) == 0.0


@pytest.mark.parametrize(
    ("fault", "breaks"),
    [(SensorFault.NONE, 1), (SensorFault.BLIND, 0), (SensorFault.BOUNCING, 2), (SensorFault.STUCK, 0)],
)
def test_a_beam_breaks_once_for_a_part_unless_it_is_bad(make_world, fault, breaks):
    world = make_world()
    sensor = SimSensor(SimSensorSettings("b", "a", None, 0.1), world.clock, np.random.default_rng(1))
    sensor.start()
    sensor.break_down(fault)
    world.advance_to(1.0)
    sensor.take()
    sensor.pass_by(1.0)
    world.advance_to(2.0)
    assert len(sensor.take()) == breaks
    assert (sensor.broken_since_s() is not None) == (fault is SensorFault.STUCK)

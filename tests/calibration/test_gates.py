"""What counts tell of a gate, which trials are chosen, and which gates are refused."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from calibration.gate_batch import REACHES, GateBatches
from calibration.gate_belief import NOT_SWAPPED, Batch, GateUnderTrial
from calibration.gate_counts import Counts
from calibration.gate_design import FIRST, is_worth_a_batch, next_batch
from calibration.gate_model import PLACE_MM, Trial, chance, count_chance
from calibration.gate_trials import MOST_BATCHES, check_counts, try_gates
from calibration.gate_ways import own_bins, runs
from calibration.gates import GatesData, collect, fit
from calibration.simulated import SimOperator, simulated_rig
from calibration.step import RefusedError, check
from edge.clock import VirtualClock
from edge.config import example
from edge.config.gates import GateBase, SimGateConfig
from edge.config.load import load_bins, load_machine
from edge.sim.feeder import FeederFault
from edge.sim.gates import Passage, SimGate
from edge.sim.settings import GateSettings

DIVERTER = SimGateConfig(name="g", driver="sim", x_mm=400, positions=("left", "pass", "right"))
PUSHER = SimGateConfig(name="g", driver="sim", x_mm=400, kind="pusher", face_mm=24, latency_s=0.015)  # type: ignore[call-arg]
LEFT, PASS, RIGHT = range(3)
MM_PER_S = 150.0
OFF_MM, LATENCY_S, SHARE = 4.0, 0.045, 1.2
"""The truth: so far beyond the YAML's station, after so long, and so much longer on the way than the YAML says."""


class Ideal:
    """A gate without a machine: where parts go, with the scatter of a real one."""

    def __init__(self, gate: GateBase, off_mm: float = OFF_MM):
        self.under = GateUnderTrial(gate, MM_PER_S)
        self.off_mm, self.travel_s = off_mm, SHARE * gate.travel_s
        self.rng = np.random.default_rng(3)

    def batch(self, trials: list[Trial]) -> Batch:
        counts = dict.fromkeys(self.under.working, 0)
        for trial in trials:
            counts[trial.went] += self.is_diverted(trial)
        return Batch(tuple(trials), counts)

    def is_diverted(self, trial: Trial) -> bool:
        jitter_s = self.under.shape.jitter_s
        slip_mm = float(self.rng.normal(0, 0.2))
        if trial.kind == "stand":
            return self.off_mm > trial.at + slip_mm
        tau_s = trial.at + (self.off_mm + slip_mm) / MM_PER_S
        start_s = LATENCY_S + float(self.rng.normal(0, jitter_s))
        whole_s = self.travel_s + float(self.rng.normal(0, jitter_s))
        turns_s = np.inf if trial.back_s is None else trial.back_s + LATENCY_S + float(self.rng.normal(0, jitter_s))
        where = min((min(tau_s, turns_s) - start_s) / whole_s, 1.0)
        return where - max(tau_s - turns_s, 0.0) / whole_s > 0.5

    def until_known(self) -> int:
        """Batches that it took."""
        while (sweeps := next_batch(self.under)) and is_worth_a_batch([self.under]):
            trials = [trial for sweep in sweeps for trial in sweep.trials()]
            self.under.batches.append(self.batch(trials))
            self.under.update()
            assert len(self.under.batches) < MOST_BATCHES
        return len(self.under.batches)


@pytest.fixture(scope="module")
def measured() -> Ideal:
    ideal = Ideal(DIVERTER)
    ideal.until_known()
    return ideal


@pytest.fixture
def known(measured) -> Ideal:
    """A gate that has been measured."""
    return deepcopy(measured)


def under_with(trials: list[Trial], counts: dict[int, int]) -> GateUnderTrial:
    under = GateUnderTrial(DIVERTER, MM_PER_S)
    under.batches.append(Batch(tuple(trials), counts))
    under.update()
    return under


def stands(went: int = LEFT) -> list[Trial]:
    return [Trial("g", "stand", at, PASS, went) for at in np.arange(-20.25, 15, 0.5).tolist()]


class Pushing(Ideal):
    """A simulated pusher that is called home as late as a movement can last, and parts of several lengths."""

    HOME_S, HALVES_MM = 0.25, (4.0, 8.0, 12.0)

    def is_diverted(self, trial: Trial) -> bool:
        gate = self.under.gate
        settings = GateSettings(
            "g", 0.0, gate.positions, gate.rest, LATENCY_S, self.travel_s, self.under.shape.jitter_s, kind="pusher"
        )
        clock = VirtualClock()
        clock.sleep_until(1.0)
        pusher = SimGate(settings, clock, self.rng)
        slip_mm = self.off_mm + float(self.rng.normal(0, PLACE_MM))
        pusher.move_to("push")
        clock.sleep_until(1.0 + self.HOME_S)
        pusher.move_to("pass")
        if trial.kind == "stand":
            return abs(slip_mm - trial.at) < gate.reach_mm
        middle_s, face_s = 1.0 + trial.at + slip_mm / MM_PER_S, gate.reach_mm / MM_PER_S
        edge_s = face_s + float(self.rng.choice(self.HALVES_MM)) / MM_PER_S
        passage = Passage(middle_s - edge_s, middle_s - face_s, middle_s, middle_s + face_s, middle_s + edge_s)
        return pusher.serve(passage)[0] == "push"


@pytest.mark.parametrize(("off_mm", "share"), [(-6.0, 0.7), (0.0, 1.0), (6.0, 1.3)])
def test_counts_alone_tell_a_pushers_place_and_latency(off_mm, share):
    pushing = Pushing(PUSHER, off_mm)
    pushing.travel_s = share * PUSHER.travel_s
    pushing.until_known()
    assert pushing.under.off_mm == pytest.approx(off_mm, abs=1.0)
    assert pushing.under.latency_s == pytest.approx(LATENCY_S, abs=0.005)


def test_no_part_is_tried_that_comes_to_a_pusher_late():
    """What lies against one that stands out tells nothing of its travel."""
    pushing = Pushing(PUSHER)
    pushing.until_known()
    swings = [trial for batch in pushing.under.batches for trial in batch.trials if trial.kind == "swing"]
    lead_s = LATENCY_S - OFF_MM / MM_PER_S
    latest_s = lead_s + PUSHER.reach_mm / MM_PER_S
    assert swings
    assert max(trial.at for trial in swings) < latest_s


def test_a_pushers_travel_is_left_to_the_yaml_and_the_user_is_told(rig):
    pushing = Pushing(PUSHER)
    pushing.until_known()
    found = fit(rig, GatesData((pushing.under,), True))
    check("gates", found.section)
    assert found.section.gates["g"].travel_s is None
    assert found.section.gates["g"].latency_s is not None
    assert "travel" not in found.section.residuals
    assert any("travel_s of g stays as machine.yaml says" in note for note in found.notes)
    assert not any(", for " in note for note in found.notes)


def test_a_standing_belt_tells_the_place_alone():
    under = under_with(stands(), {LEFT: 48, RIGHT: 0})
    assert under.off_mm == pytest.approx(3.5, abs=0.3)
    assert under.off_std_mm < 0.6
    assert under.latency_std_s > 0.02


def test_whole_swings_tell_latency_and_travel_only_together():
    swings = [Trial("g", "swing", at, PASS, LEFT) for at in np.arange(0.0, 0.3, 0.004).tolist()]
    under = under_with([*swings, *stands(RIGHT)], {LEFT: 45, RIGHT: 40})
    together_s = under.timing.first + under.timing.travel_s / 2
    assert under.timing.std(together_s) < 0.005
    assert under.travel_std_s > 0.02


def test_a_part_that_a_gate_before_took_counts_for_nothing():
    under = GateUnderTrial(DIVERTER, MM_PER_S)
    trials = [replace(trial, part=number) for number, trial in enumerate(stands())]
    under.reached = {trial.part: 0.0 for trial in trials if trial.at < -10}
    gone = len(under.reached)
    under.batches.append(Batch(tuple(trials), {LEFT: 48 - gone}))
    under.update()
    assert under.off_mm == pytest.approx(3.5, abs=0.3)


def test_the_chance_of_a_count_is_the_poisson_binomials():
    chances = np.array([[0.2], [0.5], [0.9]])
    assert count_chance(chances, 3)[0] == pytest.approx(0.96 * 0.09 + 0.02 * 0.46, abs=1e-6)
    assert count_chance(chances, 9)[0] < 1e-6


def test_somebody_who_miscounts_by_one_moves_the_fit_little(known):
    batch = known.under.batches[0]
    known.under.batches[0] = Batch(batch.trials, {**batch.counts, LEFT: batch.counts[LEFT] + 1})
    known.under.update()
    assert known.under.off_mm == pytest.approx(OFF_MM, abs=1.0)
    assert known.under.latency_s == pytest.approx(LATENCY_S, abs=0.008)


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({LEFT: 0, RIGHT: 0}, rf"g was told 'left' {FIRST} times, and no part went there: look at its power"),
        (
            {LEFT: FIRST, RIGHT: 0},
            rf"all {FIRST} parts went the way of 'left' of g: look whether it comes back to 'pass'",
        ),
    ],
    ids=["dead", "stuck"],
)
def test_a_gate_that_does_not_do_what_it_is_told_is_refused(counts, reason):
    under = GateUnderTrial(DIVERTER, MM_PER_S)
    trials = tuple(trial for sweep in next_batch(under) for trial in sweep.trials())
    with pytest.raises(RefusedError, match=reason):
        check_counts(under, Batch(trials, counts))
    check_counts(under, Batch(trials, {LEFT: FIRST // 2, RIGHT: 1}))


@pytest.mark.parametrize("off_mm", [-6.0, 0.0, 6.0])
def test_positions_that_are_swapped_are_refused(off_mm):
    with pytest.raises(RefusedError, match=r"told 'left', parts went the way of 'right'.*swap the two in machine.yaml"):
        swapped = Ideal(DIVERTER, off_mm)
        while next_batch(swapped.under):
            check_next(swapped, {LEFT: RIGHT, RIGHT: LEFT})


def test_positions_that_are_not_swapped_are_not_refused(known):
    assert known.under.swapped_evidence() < NOT_SWAPPED
    batches, known.under.batches = known.under.batches, []
    for batch in batches:
        check_counts(known.under, batch)
        known.under.batches.append(batch)
        known.under.update()


def check_next(ideal: Ideal, goes: dict[int, int]) -> None:
    """Does the next batch, whose parts end in these positions' bins, and checks it."""
    done = ideal.batch([trial for sweep in next_batch(ideal.under) for trial in sweep.trials()])
    done = Batch(done.trials, {goes[met]: count for met, count in done.counts.items()})
    check_counts(ideal.under, done)
    ideal.under.batches.append(done)
    ideal.under.update()
    assert len(ideal.under.batches) < MOST_BATCHES


def test_a_gate_that_no_longer_answers_is_refused(known):
    with pytest.raises(RefusedError, match="g was told 'left' 71 times, and no part went there"):
        check_counts(known.under, Batch(tuple(stands()), {LEFT: 0, RIGHT: 0}))


@pytest.fixture(scope="module")
def rig():
    folder = example("beginner-4")
    return simulated_rig(load_machine(folder / "machine.yaml"), load_bins(folder / "bins.yaml"), 1)


def test_a_gate_far_from_what_the_yaml_says_is_refused(rig):
    under = under_with(stands(), {LEFT: len(stands())})
    with pytest.raises(RefusedError, match=r"x_mm is about 41\d mm or more, machine.yaml says 400"):
        fit(rig, GatesData((under,), True))


def test_counts_that_contradict_each_other_are_refused(rig, known):
    batches = known.under.batches
    batches += [Batch(tuple(stands(went)), {LEFT: count}) for went, count in 2 * ((LEFT, 20), (LEFT, 69))]
    known.under.update()
    with pytest.raises(RefusedError, match="counts that contradict the others"):
        check("gates", fit(rig, GatesData((known.under,), True)).section)


def test_what_is_fitted_is_what_is_written(rig, known):
    found = fit(rig, GatesData((known.under,), True))
    check("gates", found.section)
    assert found.section.gates["g"].x_mm == pytest.approx(400 + OFF_MM, abs=1.0)
    assert found.section.gates["g"].latency_s == pytest.approx(LATENCY_S, abs=0.005)
    assert found.section.gates["g"].travel_s == pytest.approx(SHARE * DIVERTER.travel_s, abs=0.010)
    assert found.picture is not None


class Saying:
    """An operator who says these numbers, one after the other."""

    def __init__(self, *answers: int):
        self.answers, self.asked = [str(answer) for answer in answers], []

    def do(self, task):
        self.asked.append(task.words)
        return self.answers.pop(0)

    def say(self, line):
        pass


def test_a_count_that_cannot_be_is_asked_once_more_and_then_refused(rig, monkeypatch):
    operator = Saying(50, 5, 50, 40)
    monkeypatch.setattr(rig, "operator", operator)
    counts = Counts(rig)
    assert counts.take(["bricks"], 12, 6.0) == 5
    assert "is more than the 12" in operator.asked[1]
    with pytest.raises(RefusedError, match="40 parts are in bricks, and at most 12 can have gone there"):
        counts.take(["bricks"], 12, 6.0)


def test_no_parts_are_refused_and_all_is_at_rest():
    folder = example("beginner-4")
    rig = simulated_rig(load_machine(folder / "machine.yaml"), load_bins(folder / "bins.yaml"), 2)
    assert isinstance(rig.operator, SimOperator)
    world = rig.operator.sim.world
    world.feeder.fault = FeederFault.EMPTY
    with pytest.raises(RefusedError, match="no parts are seen on the belt"):
        collect(rig)
    assert not world.belt.running
    assert world.feeder.parts_per_min == 0


@pytest.mark.parametrize(("config", "told"), [("chute-9", True), ("beginner-4", False)])
def test_who_did_not_nudge_the_servos_before_is_told(config, told):
    folder, said = example(config), []
    rig = simulated_rig(load_machine(folder / "machine.yaml"), load_bins(folder / "bins.yaml"), 2, say=said.append)
    rig.operator.sim.world.feeder.fault = FeederFault.EMPTY
    with pytest.raises(RefusedError, match="no parts are seen on the belt"):
        collect(rig)
    assert told == any("nobody has nudged the positions of chute" in line for line in said)


def test_a_belt_that_does_not_move_is_refused(monkeypatch):
    folder = example("beginner-4")
    rig = simulated_rig(load_machine(folder / "machine.yaml"), load_bins(folder / "bins.yaml"), 3)
    monkeypatch.setattr(rig.belt_motor, "start", lambda: None)
    with pytest.raises(RefusedError, match="the belt does not move: look at its motor and at its encoder"):
        collect(rig)


def test_bins_tell_the_positions_on_the_way_to_them():
    bins = load_bins(example("beginner-4") / "bins.yaml")
    assert [run.gates for run in runs(bins, {"first": "pass", "second": "pass"})] == [("first", "second")]
    assert own_bins(bins, "first") == {"left": ("bricks",), "right": ("plates",)}
    assert "pass" not in own_bins(bins, "second")


@pytest.mark.parametrize(
    ("off_mm", "latency_s", "travel_s"), [(-7.0, 0.012, 0.11), (1.5, 0.033, 0.15), (6.0, 0.058, 0.19)]
)
def test_what_a_moving_gate_does_to_very_many_parts_is_fitted_without_bias(off_mm, latency_s, travel_s):
    """Where the parts are is known to PLACE_MM only. So many trials leave 0.5 ms of chance."""
    rng, under = np.random.default_rng(7), GateUnderTrial(DIVERTER, MM_PER_S)
    settings = GateSettings(
        "g", 400 + off_mm, ("left", "pass", "right"), "pass", latency_s, travel_s, under.shape.jitter_s
    )

    def met(trial: Trial) -> bool:
        seen_mm = off_mm + float(rng.normal(0, PLACE_MM))
        if trial.kind == "stand":
            return seen_mm > trial.at
        clock = VirtualClock()
        clock.sleep_until(1.0)
        gate = SimGate(settings, clock, rng)
        gate.move_to("left")
        if trial.back_s is not None:
            clock.sleep_until(1.0 + trial.back_s)
            gate.move_to("pass")
        return gate.nearest(1.0 + trial.at + seen_mm / MM_PER_S) == "left"

    lead_s = latency_s - off_mm / MM_PER_S
    for kind, middle, half, back_s in (
        ("stand", off_mm, 1.5, None),
        ("swing", lead_s + travel_s / 2, 0.02, None),
        ("swing", lead_s + 1.3 * travel_s, 0.03, 0.9 * travel_s),
    ):
        for at in np.linspace(middle - half, middle + half, 40):
            trials = tuple(Trial("g", kind, float(at), PASS, LEFT, back_s) for _ in range(10))
            under.batches.append(Batch(trials, {LEFT: sum(map(met, trials))}))
    under.update()
    assert under.off_mm == pytest.approx(off_mm, abs=0.15)
    assert under.latency_s == pytest.approx(latency_s, abs=0.0015)
    assert under.travel_s == pytest.approx(travel_s, abs=0.003)


STANDS_MM = (-1.2, -0.6, 0.0, 0.6, 1.2)


@pytest.fixture(scope="module")
def stands_done():
    """A batch in which the belt stops, on five gates of a simulated machine: what was tried, the gates, and how the
    feeder was set while the belt stood."""
    folder = example("west-18")
    rig = simulated_rig(load_machine(folder / "machine.yaml"), load_bins(folder / "bins.yaml"), 4)
    assert isinstance(rig.operator, SimOperator)
    world = rig.operator.sim.world
    unders = {gate.name: GateUnderTrial(gate, rig.config.belt.belt_mm_per_s) for gate in rig.machine.gates}
    (run,) = runs(rig.bins, {gate.name: gate.rest for gate in rig.machine.gates})
    rates: list[float] = []
    stop = rig.belt_motor.stop

    def stop_and_note():
        stop()
        rates.append(world.feeder.parts_per_min)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rig.belt_motor, "stop", stop_and_note)
        wanted = {name: [Trial(name, "stand", at, PASS, LEFT) for at in STANDS_MM] for name in run.gates[:5]}
        done = GateBatches(rig, run, unders, Counts(rig)).do(wanted)
    return done, unders, rates


def test_nothing_is_fed_while_the_belt_stands(stands_done):
    done, _, rates = stands_done
    assert sum(map(len, done.values())) > 4 * len(STANDS_MM)
    assert len(rates) > len(STANDS_MM)
    assert set(rates) == {0.0}


def test_what_a_gate_has_most_likely_taken_is_tried_at_no_other(stands_done):
    done, unders, _ = stands_done
    reaches: dict[int, float] = {}
    for gate, trials in done.items():
        for trial in trials:
            assert reaches.get(trial.part, 1.0) > REACHES
            reaches[trial.part] = reaches.get(trial.part, 1.0) * unders[gate].chance(trial, PASS)


def test_parts_stand_where_they_should(stands_done):
    """The belt coasts by 22 mm: one that is stopped while it already coasts for another part stands anywhere."""
    done, _, _ = stands_done
    for trials in done.values():
        off_mm = [min(abs(trial.at - wanted_mm) for wanted_mm in STANDS_MM) for trial in trials]
        assert np.median(off_mm) < 0.7
        assert max(off_mm) < 2.5


def test_a_chute_that_waits_for_one_part_catches_no_other():
    """Parts that nobody tried would be counted with those that met it before it moved."""
    folder = example("chute-9")
    rig = simulated_rig(load_machine(folder / "machine.yaml"), load_bins(folder / "bins.yaml"), 1)
    unders = {gate.name: GateUnderTrial(gate, rig.config.belt.belt_mm_per_s) for gate in rig.machine.gates}
    (run,) = runs(rig.bins, {gate.name: gate.rest for gate in rig.machine.gates})
    done = GateBatches(rig, run, unders, Counts(rig)).do({"chute": [Trial("chute", "swing", 0.5, 0, 8)] * 30})
    assert len(done["chute"]) > 20
    met = [part.why.removeprefix("chute=") for part in rig.operator.sim.world.truth]
    assert not {"s1", "s2"} & set(met), met


@pytest.mark.parametrize("share", [0.85, 0.98, 1.05])
def test_a_chutes_travel_is_told_to_what_is_claimed(share):
    """It may be anything within most of a second: values that stand for all must not lie far apart."""
    chute = load_machine(example("chute-9") / "machine.yaml").gates[0]
    under = GateUnderTrial(chute, MM_PER_S)
    first, last = under.shape.ends
    travel_s = share * chute.travel_s
    for came, went, met in ((first, last, last), (first, last, first), (last, first, first), (last, first, last)):
        edge_s = LATENCY_S + travel_s * (15 if met == went else 1) / 16
        trials = tuple(Trial("chute", "swing", edge_s + off_s, came, went) for off_s in np.linspace(-0.02, 0.02, 60))
        expected = sum(chance(under.shape, one, met, np.array([LATENCY_S]), np.array([travel_s]))[0] for one in trials)
        under.batches.append(Batch(trials, {met: round(float(expected))}))
    under.update()
    assert under.travel_std_s < 0.003
    assert under.travel_s == pytest.approx(travel_s, abs=2 * under.travel_std_s)
    assert len(np.unique(under.timing.travel_s)) > 5


class Unmoved:
    """Batches that are done as they are wanted; `sizes` tells by how many trials of how many gates each."""

    def __init__(self):
        self.sizes = []

    def do(self, wanted):
        self.sizes.append((len(wanted), sum(map(len, wanted.values()))))
        return {gate: tuple(trials) for gate, trials in wanted.items()}


class Half:
    """Counts of gates that take every second part."""

    def take(self, bins, most, expected):
        return FIRST // 2


def test_nine_gates_are_tried_in_one_batch(monkeypatch):
    folder = example("west-18")
    rig = simulated_rig(load_machine(folder / "machine.yaml"), load_bins(folder / "bins.yaml"), 1)
    unders = {gate.name: GateUnderTrial(gate, MM_PER_S) for gate in rig.machine.gates}
    (run,) = runs(rig.bins, {gate.name: gate.rest for gate in rig.machine.gates})
    batches = Unmoved()
    monkeypatch.setattr("calibration.gate_trials.MOST_BATCHES", 1)
    monkeypatch.setattr("calibration.gate_trials.GateBatches", lambda *made: batches)
    monkeypatch.setattr("calibration.gate_trials.check_counts", lambda under, batch: None)
    try_gates(rig, run, unders, Half())
    (first,) = {sum(sweep.count for sweep in next_batch(GateUnderTrial(gate, MM_PER_S))) for gate in rig.machine.gates}
    assert batches.sizes == [(9, 9 * first)]
    assert first > FIRST
    assert all(len(under.batches) == 1 for under in unders.values())

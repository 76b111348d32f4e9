"""Few parts of known kind tell a temperature, purity is promised as it comes, and what is misnamed is refused."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

import calibration.confidence
from calibration.confidence import STEP, ConfidenceData, Found, choose, fit, found_in, plans_of
from calibration.confidence_batch import Batch, check_batch
from calibration.confidence_curve import curve_lines
from calibration.confidence_fit import Judge, Judged, Sharpness, curve, error_factor, fit_sharpness, working_point
from calibration.confidence_watch import SeenPart
from calibration.ended import EndedError
from calibration.rig import Rig, Task
from calibration.simulated import SimOperator, simulated_rig
from calibration.step import RefusedError, run_step
from edge.bundle.manifest import load_bundle
from edge.bundle.reference import SeenParts, load_reference, save_reference
from edge.config import example
from edge.config.calibrated import load_calibration
from edge.config.calibration import Calibration, ConfidenceCalibration, WorkingPoint
from edge.config.load import load_bins, load_machine
from edge.errors import BundleError
from edge.machine import Plans, read_plans
from edge.records import Track, TrackState
from edge.sim.build import sim_settings
from edge.sim.hidden import draw_hidden

NAMES = [own.name for own in fields(SeenParts)]


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Plans:
    """Of the starter model: its reference has the scores of all its parts, and what is fitted can be told closely."""
    folder = tmp_path_factory.mktemp("machine")
    machine = (example("west-18") / "machine.yaml").read_text(encoding="utf-8")
    (folder / "machine.yaml").write_text(machine.replace("bundle: universal", "bundle: starter"), encoding="utf-8")
    plans = read_plans(str(folder / "machine.yaml"), str(example("west-18") / "bins.yaml"), measured=False)
    assert plans.bundle.name == "starter"
    return plans


@pytest.fixture(scope="module")
def reference(plans: Plans) -> SeenParts:
    """The shipped bundle's."""
    assert plans.bundle.reference is not None
    return load_reference(plans.bundle.reference, len(plans.bundle.parts), [colour.code for colour in plans.colours])


@pytest.mark.parametrize("name", ["starter", "universal"])
def test_a_shipped_bundle_brings_parts_to_compare_with_and_stays_small(plans: Plans, name: str) -> None:
    bundle = load_bundle(name)
    assert bundle.reference is not None
    seen = load_reference(bundle.reference, len(bundle.parts), [colour.code for colour in plans.colours])
    assert len(seen) > 1400
    assert len(np.unique(seen.kinds)) > 90
    assert sum(file.stat().st_size for file in bundle.folder.iterdir()) <= 8e6


@pytest.fixture(scope="module")
def judge(plans: Plans) -> Judge:
    return Judge(plans)


def some(seen: SeenParts, rows: np.ndarray) -> SeenParts:
    return SeenParts(**{name: getattr(seen, name)[rows] for name in NAMES})


def four_kinds(seen: SeenParts, rng: np.random.Generator, temperature: float = 1.0) -> SeenParts:
    """Ten of each of four kinds by a network whose logits are so many times as large."""
    kinds, counts = np.unique(seen.kinds, return_counts=True)
    chosen = rng.choice(kinds[counts >= 8], 4, replace=False)
    rows = np.concatenate([rng.choice(np.flatnonzero(seen.kinds == kind), 10) for kind in chosen])
    own = some(seen, rows)
    return replace(own, scores=own.scores * temperature, stands_out=own.stands_out * temperature)


@pytest.mark.parametrize("temperature", [0.8, 1.0, 1.5])
def test_forty_parts_tell_the_temperature(plans, judge, reference, temperature):
    rng = np.random.default_rng(5)
    halves = [some(reference, np.arange(first, len(reference), 2)) for first in (0, 1)]
    for _ in range(4):
        found = fit_sharpness(judge, four_kinds(halves[0], rng, temperature), halves[1], plans.bundle.fusion_exponent)
        assert found.temperature == pytest.approx(temperature, rel=0.12)
        assert 0.02 < found.log_sigma < 0.15


def test_without_a_reference_few_parts_say_little_and_it_says_so(plans, judge, reference):
    own = four_kinds(reference, np.random.default_rng(6), 1.4)
    found = fit_sharpness(judge, own, None, plans.bundle.fusion_exponent)
    assert 0.7 < found.temperature < 1.6
    assert found.log_sigma > 0.15


def test_purity_is_promised_as_it_comes(judge, plans, reference):
    """The curve of one half of the reference against what becomes of the other."""
    sharpness = Sharpness(1.0, plans.bundle.fusion_exponent, 0.0)
    halves = [judge.judge(some(reference, np.arange(first, len(reference), 2)), sharpness) for first in (0, 1)]
    points = curve(halves[0], 1.0)
    for one_in in (100, 200):
        point = working_point(points, 1 - 1 / one_in)
        assert point is not None
        decided = halves[1].mass >= point.sure_above
        assert halves[1].right[decided].mean() == pytest.approx(point.purity, abs=0.01)
        assert halves[1].right[decided].sum() / halves[1].wanted.sum() == pytest.approx(point.recovery, abs=0.05)


def test_the_curve_rises_and_stops_where_nothing_is_left(judge, plans, reference):
    points = curve(judge.judge(reference, Sharpness(1.0, plans.bundle.fusion_exponent, 0.0)), 1.0)
    assert [point.purity for point in points] == sorted(point.purity for point in points)
    assert [point.recovery for point in points] == sorted((point.recovery for point in points), reverse=True)
    assert working_point(points, 1.0) is None
    few = Judged(np.array([0.9] * 30 + [0.99] * 10), np.ones(40), np.ones(40))
    assert max(point.sure_above for point in curve(few, 1.0)) < 0.9


def test_errors_beyond_what_was_expected_cost_purity():
    sure = np.full(50, 0.96)
    as_expected = Judged(sure, np.r_[np.zeros(2), np.ones(48)], np.ones(50))
    too_many = Judged(sure, np.r_[np.zeros(10), np.ones(40)], np.ones(50))
    assert error_factor(as_expected) == pytest.approx(1.0)
    assert error_factor(too_many) == pytest.approx(22 / 14)
    assert curve(too_many, 2.0)[0].purity < curve(too_many, 1.0)[0].purity


def test_the_reference_comes_back_as_it_was_written(reference, plans, tmp_path):
    codes = [colour.code for colour in plans.colours]
    file = tmp_path / "reference.npz"
    save_reference(file, some(reference, np.arange(20)), codes)
    back = load_reference(file, len(plans.bundle.parts), codes)
    for name in NAMES:
        assert np.allclose(getattr(back, name), getattr(reference, name)[:20], atol=0.02), name
    # Colours in another order stay those that they are.
    turned = load_reference(file, len(plans.bundle.parts), codes[::-1])
    assert np.array_equal(turned.colours[:, ::-1], back.colours)
    with pytest.raises(BundleError, match="holds no reference parts"):
        load_reference(file, 3, codes)
    file.write_bytes(b"nothing")
    with pytest.raises(BundleError, match="fetch the bundle again"):
        load_reference(file, len(plans.bundle.parts), codes)


def test_of_thousands_of_kinds_the_likeliest_are_kept_and_the_others_share_what_is_left(reference, plans, tmp_path):
    """Parts that a model of 3,000 kinds saw: what is read back is as likely, kind by kind and all that was left out."""
    rng = np.random.default_rng(7)
    logits = rng.normal(0, 2.0, (20, 3000))
    logits[np.arange(20), rng.integers(0, 3000, 20)] += 12
    scores = (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)
    codes = [colour.code for colour in plans.colours]
    file = tmp_path / "reference.npz"
    save_reference(file, replace(some(reference, np.arange(20)), scores=scores), codes)
    back = load_reference(file, 3000, codes)
    assert np.exp(back.scores.astype(np.float64)).sum(axis=1) == pytest.approx(np.ones(20), abs=0.01)
    likely = scores > np.sort(scores, axis=1)[:, [-100]]
    assert np.allclose(back.scores[likely], scores[likely], atol=0.01)
    for temperature in (0.7, 1.5):
        best = [np.exp(own / temperature) for own in (scores.max(axis=1), back.scores.max(axis=1))]
        sums = [np.exp(own.astype(np.float64) / temperature).sum(axis=1) for own in (scores, back.scores)]
        assert best[1] / sums[1] == pytest.approx(best[0] / sums[0], abs=0.05), temperature
    assert file.stat().st_size < 20 * 1500


# The question


def sees(found: Found, pictures: Path | None) -> tuple[list[str], list[bool], int]:
    """What is said before the working point is asked for, whether the picture was there then, and the answer."""
    said: list[str] = []
    there: list[bool] = []

    class Person:
        def say(self, line: str) -> None:
            said.append(line)

        def do(self, task: Task) -> str:
            there.append(pictures is not None and (pictures / "confidence.png").exists())
            assert "200" in task.answers
            return "200"

    machine, bins = load_machine(example("west-18") / "machine.yaml"), load_bins(example("west-18") / "bins.yaml")
    rig = simulated_rig(machine, bins, 1)
    rig.operator, rig.pictures = Person(), pictures
    return said, there, choose(rig, found)


def test_the_curve_is_seen_before_the_point_is_chosen(plans: Plans, reference: SeenParts, tmp_path: Path) -> None:
    found = found_in(plans, four_kinds(reference, np.random.default_rng(7)))
    said, there, one_in = sees(found, tmp_path / "fits")
    assert (there, one_in) == ([True], 200)
    assert any(str(tmp_path / "fits" / "confidence.png") in line for line in said)
    for words, purity in (("1 in 100 ", 0.99), ("1 in 200 ", 0.995), ("1 in 1,000 ", 0.999)):
        (line,) = [line for line in said if line.startswith(words)]
        point = working_point(found.points, purity)
        assert point is not None
        assert f"{point.purity:.2%}" in line
        assert line.endswith(f"{point.recovery:.0%}")
    assert max(len(line) for line in said if str(tmp_path) not in line) <= 78, "an indented line fits a terminal"


def test_without_a_folder_the_curve_is_told_and_none_drawn(plans: Plans, reference: SeenParts) -> None:
    said, there, _ = sees(found_in(plans, four_kinds(reference, np.random.default_rng(7))), None)
    assert there == [False]
    assert len(said) == 5
    assert not any(".png" in line for line in said)


def test_a_folder_that_cannot_be_made_costs_only_the_picture(
    plans: Plans, reference: SeenParts, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    said, _, one_in = sees(found_in(plans, four_kinds(reference, np.random.default_rng(7))), tmp_path / "file")
    assert one_in == 200
    assert any("cannot be written: the picture is not kept" in line for line in said)


def test_a_point_out_of_reach_says_so_and_what_is_the_purest() -> None:
    points = [
        WorkingPoint(sure_above=0.5, purity=0.98, recovery=0.95),
        WorkingPoint(sure_above=0.9, purity=0.991, recovery=0.8),
    ]
    lines = curve_lines({one_in: working_point(points, 1 - 1 / one_in) for one_in in (50, 100, 1000)}, points)
    assert lines[1].endswith("98.00%  ######################################..  95%")
    assert lines[3].startswith("1 in 1,000 ")
    assert lines[3].endswith("cannot be promised")
    assert lines[4] == "The purest there is: 99.10% right, 80% sorted."


# Batches


def part(plans: Plans, looks_like: str, sure: float = 12.0) -> SeenPart:
    """A part whose looks surely show a kind; its size is not known."""
    scores = np.full(len(plans.bundle.parts), -sure)
    scores[plans.catalogue.index(looks_like)] = 0.0
    track = Track(1, TrackState.FINISHED, 0, 9, 0.0, 16.0, 0.0, 16.0, 16.0)
    return SeenPart(track, looks=6, weight=4.0, colour_weight=0.0, stands_out=44.0, scores=4.0 * scores)


def batch(plans: Plans, named: str, *looks_like: str) -> Batch:
    kind = plans.catalogue.index(named)
    assert kind is not None
    return Batch(kind, tuple(part(plans, number) for number in looks_like))


def test_a_batch_that_is_what_it_is_called_passes(plans):
    check_batch(batch(plans, "3001", *["3001"] * 8, "3003", "3002"), plans)


@pytest.mark.parametrize(
    ("named", "looks_like", "words"),
    [
        ("3001", ["3001"] * 4, "4 parts 3001 were seen whole and by themselves, 5 it takes"),
        ("3001", ["3003"] * 9 + ["3001"], "named 3001, but 9 of 10 surely look like 3003"),
        ("3001", ["3001"] * 6 + ["3003"] * 3 + ["3022"], "4 of the 10 parts named 3001 surely look like 3003, 3022"),
    ],
)
def test_a_batch_that_is_something_else_is_refused(plans, named, looks_like, words):
    with pytest.raises(RefusedError) as refused:
        check_batch(batch(plans, named, *looks_like), plans)
    assert words in str(refused.value)


# On the simulated machine


@pytest.fixture
def rig(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """A small machine, its camera straight and sharp, on which one kind of six parts is asked for."""
    monkeypatch.setattr(calibration.confidence, "KINDS", 1)
    monkeypatch.setattr(calibration.confidence, "OF_EACH", 6)
    monkeypatch.setattr(calibration.confidence, "PATIENCE_S", 12.0)
    machine, bins = load_machine(folder / "machine.yaml"), load_bins(folder / "bins.yaml")
    small = {"width_px": 640, "height_px": 360, "px_per_mm": 2.5, "belt_region_px": (0, 30, 640, 330)}
    machine = machine.model_copy(update={"camera": machine.camera.model_copy(update=small)})
    truth = draw_hidden(machine, sim_settings(machine, bins, parts=1), 3)
    straight = {"px_per_mm": 2.5, "pitch_deg": 0.0, "roll_deg": 0.0, "yaw_deg": 0.0, "k1": 0.0, "k2": 0.0}
    truth = replace(truth, **straight, lamp=1.0, focus_dioptres=1000 / 300, lamp_k=5500.0, belt_mm_per_s=150.0)
    return simulated_rig(machine, bins, 3, replace(truth, mm_per_tick=0.25, temperature=1.3))


def hands(rig: Rig) -> SimOperator:
    assert isinstance(rig.operator, SimOperator)
    return rig.operator


def test_the_machine_is_as_sure_as_it_may_be(rig: Rig, tmp_path: Path) -> None:
    hands(rig).kinds[:] = ["3001"]
    file = tmp_path / "calibration.yaml"
    rig.pictures = tmp_path
    run_step(STEP, rig, file)
    found = load_calibration(file).confidence
    assert found is not None
    assert found.temperature == pytest.approx(1.3, rel=0.15)
    assert found.bundle == rig.config.model.bundle == "universal"
    assert found.network == load_bundle("universal").network
    chosen = next(point for point in found.curve if point.sure_above == found.sure_above)
    assert chosen.purity >= 1 - 1 / 200
    assert (tmp_path / "confidence.png").exists()
    assert rig.config.fusion.sure_above == found.sure_above
    assert hands(rig).took_s < 60
    standing = rig.encoder.belt_mm()
    rig.wait_until(rig.clock.now_s() + 1)
    assert rig.encoder.belt_mm() - standing < 30  # it runs down


@pytest.mark.parametrize("what", ["no parts", "another name", "a mixture"])
def test_what_is_refused_leaves_the_old_calibration(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    operator, do = hands(rig), SimOperator.do
    file = tmp_path / "calibration.yaml"
    file.write_text("version: 1\n")

    def otherwise(self: SimOperator, task: Task) -> str:
        if task.kind == "drop-kind" and what == "no parts":
            return ""
        if task.kind == "drop-kind" and what == "a mixture":
            operator.kinds = ["3001"]
            do(self, replace(task, what={**task.what, "count": 3}))
            operator.kinds = ["3795"]
            return do(self, replace(task, what={**task.what, "count": 3}))
        return "3001" if task.kind == "name-kind" else do(self, task)

    monkeypatch.setattr(SimOperator, "do", otherwise)
    operator.kinds[:] = ["3795"]
    operator.retries = 0
    words = {
        "no parts": "no parts of kind 1 were seen whole",
        "another name": "surely look like 3795",
        "a mixture": "of the 6 parts named 3001 surely look like .*3795",
    }[what]
    with pytest.raises(RefusedError, match=words):
        run_step(STEP, rig, file)
    assert file.read_text() == "version: 1\n"


def test_a_kind_that_was_refused_is_replaced_by_another(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    do = SimOperator.do

    def misnaming(self: SimOperator, task: Task) -> str:
        return "3001" if task.kind == "name-kind" else do(self, task)

    monkeypatch.setattr(SimOperator, "do", misnaming)
    hands(rig).kinds[:] = ["3795", "3001"]
    data = STEP.collect(rig)
    assert set(data.seen.kinds) == {plans_of(rig).catalogue.index("3001")}
    assert [task.kind for task in hands(rig).tasks].count("again-kind") == 1


def test_who_ends_at_a_kind_is_not_asked_to_drop_it_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    do = SimOperator.do

    def ending(self: SimOperator, task: Task) -> str:
        if task.kind == "name-kind":
            raise EndedError("ended at 'Which part were these?'")
        return do(self, task)

    monkeypatch.setattr(SimOperator, "do", ending)
    hands(rig).kinds[:] = ["3001"]
    with pytest.raises(EndedError, match="ended at 'Which part"):
        STEP.collect(rig)
    assert "again-kind" not in [task.kind for task in hands(rig).tasks]


def test_a_purity_that_cannot_be_had_is_refused(rig: Rig, plans: Plans, reference: SeenParts) -> None:
    rig.machine = plans.config
    own = four_kinds(reference, np.random.default_rng(7))
    with pytest.raises(RefusedError, match="one wrong part in 100000000 cannot be promised"):
        fit(rig, ConfidenceData(own, 100_000_000))
    majority = rig.machine.model_copy(update={"fusion": rig.machine.fusion.model_copy(update={"method": "majority"})})
    rig.machine = majority
    with pytest.raises(RefusedError, match=r"fusion\.method is majority: only tempered-product"):
        plans_of(rig)


def test_what_an_earlier_version_of_the_model_was_measured_with_is_measured_anew(rig: Rig) -> None:
    confidence = ConfidenceCalibration(
        made_at=rig.now(), measured_from="a test", residuals={}, bundle=rig.machine.model.bundle,
        network=load_bundle(rig.machine.model.bundle).network, temperature=1.2, exponent=0.4, sure_above=0.93, curve=(),
    )  # fmt: skip
    rig.calibrate(Calibration(confidence=confidence))
    assert rig.calibration.confidence == confidence
    assert rig.config.fusion.sure_above == 0.93
    rig.calibrate(Calibration(confidence=confidence.model_copy(update={"network": "sha256:0123456789ab"})))
    assert rig.calibration.confidence is None
    assert rig.config.fusion == rig.machine.fusion

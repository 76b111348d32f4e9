"""Colours are right after the colour step whatever the lamp, and a brick that is named wrong changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import calibration.simulated
from calibration.colour import STEP, ColourData, RodeBy, collect, fit, flat_field, nameable
from calibration.colour_fit import SeenBrick, fit_colours, misnamed, swapped
from calibration.file import save_section
from calibration.rig import Rig
from calibration.simulated import simulated_rig
from calibration.step import RefusedError, check, run_step
from edge.catalogue.colours import Colour, find_colour, load_colours
from edge.config.calibrated import load_calibration
from edge.config.calibration import ColourCalibration
from edge.config.load import load_bins, load_machine
from edge.inference.colour import ColourMeter, Sample, glossy, linear
from edge.sim.build import sim_settings
from edge.sim.hidden import draw_hidden
from edge.sim.light import BUILT_K, lamp_cast

COLOURS = load_colours()
BRICKS = ("White", "Red", "Yellow", "Blue", "Green", "Light Bluish Gray", "Orange", "Tan")
CREAM = np.array([0.62, 0.58, 0.48])


def named(name: str) -> Colour:
    colour = find_colour(name, COLOURS)
    assert colour is not None
    return colour


def seen(name: str, lamp_k: float, shade: float = 0.0) -> np.ndarray:
    """A part's ratio to a cream belt, as a camera under a lamp sees both."""
    cast = lamp_cast(lamp_k)[::-1, ::-1]
    body = glossy(linear(np.array(named(name).rgb))) * np.exp(-shade)
    return (cast @ body) / (cast @ CREAM)


def bricks(lamp_k: float, names: tuple[str, ...] = BRICKS, spread: float = 0.08, seed: int = 1) -> list[SeenBrick]:
    shades = np.random.default_rng(seed).normal(0, spread, len(names))
    return [SeenBrick(seen(name, lamp_k, shade), named(name)) for name, shade in zip(names, shades, strict=True)]


@pytest.fixture
def rig(folder: Path) -> Rig:
    """A small machine under a lamp of 4,000 K, its camera straight and sharp."""
    machine, bins = load_machine(folder / "machine.yaml"), load_bins(folder / "bins.yaml")
    small = {"width_px": 640, "height_px": 360, "px_per_mm": 2.5, "belt_region_px": (0, 30, 640, 330)}
    machine = machine.model_copy(update={"camera": machine.camera.model_copy(update=small)})
    truth = draw_hidden(machine, sim_settings(machine, bins, parts=1), 3)
    straight = {"px_per_mm": 2.5, "pitch_deg": 0.0, "roll_deg": 0.0, "yaw_deg": 0.0, "k1": 0.0, "k2": 0.0}
    truth = replace(truth, **straight, lamp=0.9, focus_dioptres=1000 / 300, lamp_k=4000.0)
    return simulated_rig(machine, bins, 3, truth)


@pytest.fixture(scope="module")
def data() -> ColourData:
    """Bricks under a warm lamp."""
    picture = np.full((40, 60, 3), 128, np.uint8)
    rode_by = tuple(RodeBy(np.array([brick.ratio] * 4), picture) for brick in bricks(4200))
    return ColourData((np.full((60, 100, 3), 180, np.uint8),), rode_by, BRICKS)


def test_the_lamp_for_which_the_gains_are_one_tints_nothing() -> None:
    assert lamp_cast(BUILT_K).sum(axis=1) == pytest.approx([1, 1, 1], abs=0.002)
    warm, cold = lamp_cast(4000).sum(axis=1), lamp_cast(7000).sum(axis=1)
    assert warm[0] < 0.75
    assert warm[2] > 1.25
    assert cold[0] > 1.15
    assert cold[2] < 0.9


def test_gains_of_red_and_blue_alone_do_not_undo_a_lamp() -> None:
    cast = lamp_cast(4000)
    mixed = np.abs(cast - np.diag(np.diag(cast))).max()
    assert mixed > 0.1


@pytest.mark.parametrize("lamp_k", [4000, 4700, 5500, 6300, 7000])
def test_thirty_colours_are_right_under_every_lamp(lamp_k: float) -> None:
    found = fit_colours(bricks(lamp_k))
    red, green, blue = (255 * (1.055 * np.clip(found.belt, 0, 1) ** (1 / 2.4) - 0.055)).tolist()
    thirty = [colour for colour in nameable() if colour.name not in BRICKS][:30]
    meter = ColourMeter(COLOURS, (red, green, blue), found.matrix.tolist())
    plain = ColourMeter(COLOURS)
    right = {meter: 0, plain: 0}
    for colour in thirty:
        ratio = seen(colour.name, lamp_k, 0.05)
        for judge in right:
            right[judge] += COLOURS[int(np.argmax(judge.score(sample(ratio))))] is colour
    assert right[meter] >= 28
    assert right[plain] < right[meter]


def sample(ratio: np.ndarray) -> Sample:
    return Sample(ratio.astype(np.float32), 0.3, 0.5)


def test_the_belt_of_bricks_as_bright_as_it_is_found() -> None:
    found = fit_colours(bricks(4500, spread=0.0))
    assert found.belt == pytest.approx(CREAM, rel=0.06)
    assert found.matrix.sum(axis=1) == pytest.approx([1, 1, 1])
    assert found.differences.max() < 2


@pytest.mark.parametrize(
    ("place", "wrong"), [(1, "Yellow"), (1, "Dark Red"), (2, "Orange"), (3, "Dark Bluish Gray"), (4, "Lime")]
)
def test_a_brick_that_is_named_wrong_is_found_out(place: int, wrong: str) -> None:
    given = bricks(4500)
    assert misnamed(given, nameable()) is None
    given[place] = replace(given[place], colour=named(wrong))
    found = misnamed(given, nameable())
    assert found is not None
    assert found[0] == place
    assert swapped(given, *found) is None


@pytest.mark.parametrize(("place", "wrong", "innocent"), [(6, "Yellow", "Red"), (7, "Yellow", "White")])
def test_a_wrong_name_is_not_put_down_to_a_brick_that_it_makes_look_wrong(
    place: int, wrong: str, innocent: str
) -> None:
    given = bricks(4500, spread=0.15, seed=3)
    given[place] = replace(given[place], colour=named(wrong))
    found = misnamed(given, nameable())
    assert found is not None
    assert BRICKS[found[0]] != innocent
    assert found[0] == place


@pytest.mark.parametrize(
    ("one", "other"), [("Red", "Green"), ("White", "Red"), ("Blue", "Green"), ("Orange", "Tan"), ("Yellow", "Orange")]
)
def test_two_swapped_names_are_told_as_such(rig: Rig, data: ColourData, one: str, other: str) -> None:
    turned = {one: other, other: one}
    names = tuple(turned.get(name, name) for name in BRICKS)
    first, second = sorted((BRICKS.index(one), BRICKS.index(other)))
    words = rf"bricks {first + 1} and {second + 1} were named {names[first]} and {names[second]}, and look as if"
    with pytest.raises(RefusedError, match=words):
        fit(rig, replace(data, names=names))


def test_fit_says_which_brick_and_what_it_looks_like(rig: Rig, data: ColourData) -> None:
    wrong = replace(data, names=(*BRICKS[:4], "Red", *BRICKS[5:]))
    with pytest.raises(RefusedError, match="brick 5 was named Red, but beside the others it looks like Green"):
        fit(rig, wrong)


def test_fit_gives_a_section_that_passes_and_a_picture(rig: Rig, data: ColourData) -> None:
    found = fit(rig, data)
    check("colour", found.section)
    assert np.array(found.section.flat_field) == pytest.approx(1)
    assert found.picture is not None


def test_too_few_colours_are_refused(rig: Rig, data: ColourData) -> None:
    few = ColourData(data.bare, data.bricks[:6], ("White", "Red", "Red", "Blue", "Blue", "White"))
    with pytest.raises(RefusedError, match="have 3 different colours, 5 it takes"):
        fit(rig, few)


def test_bricks_without_white_or_gray_are_refused(rig: Rig, data: ColourData) -> None:
    coloured = tuple(place for place, name in enumerate(BRICKS) if name not in {"White", "Light Bluish Gray"})
    only = ColourData(data.bare, tuple(data.bricks[k] for k in coloured), tuple(BRICKS[k] for k in coloured))
    with pytest.raises(RefusedError, match="none of the bricks is white or gray"):
        fit(rig, only)


def test_flat_field_is_of_linear_light() -> None:
    picture = np.full((60, 100, 3), 200, np.uint8)
    picture[:, 50:] = 100
    flat = flat_field([picture])
    wanted = linear(np.array([200, 100]))
    assert flat[0, 0] / flat[0, -1] == pytest.approx(wanted[0] / wanted[1], rel=0.01)
    assert flat.mean() == pytest.approx(1)


def test_a_belt_that_was_never_bare_is_refused() -> None:
    with pytest.raises(RefusedError, match="was never bare"):
        flat_field([])


def test_bricks_on_the_simulated_belt_are_measured_and_written(rig: Rig, folder: Path) -> None:
    rig.pictures = folder
    calibration = run_step(STEP, rig, folder / "calibration.yaml")
    section = calibration.colour
    assert section is not None
    # Its seed draws a mint belt of (176, 192, 185).
    assert section.belt_rgb == pytest.approx(rig.operator.sim.camera._scene.mean_bgr[::-1], abs=16)
    assert (np.array(section.matrix).diagonal() > 1).all()
    kinds = [task.kind for task in rig.operator.tasks]
    assert kinds == ["drop-bricks"] + ["name"] * 8
    assert rig.operator.took_s < 90
    assert cv2.imread(str(folder / "colour.png")) is not None
    assert not rig.operator.sim.world.belt.running


def test_no_bricks_seen_is_refused_and_the_old_calibration_stays(
    rig: Rig, folder: Path, data: ColourData, monkeypatch: pytest.MonkeyPatch
) -> None:
    old: ColourCalibration = fit(rig, data).section
    save_section(folder / "calibration.yaml", "colour", old)
    monkeypatch.setattr(rig.operator.sim.world, "drop", lambda parts, every_s: None)
    monkeypatch.setattr("calibration.colour.PATIENCE_S", 3.0)
    with pytest.raises(RefusedError, match="0 bricks were seen whole"):
        run_step(STEP, rig, folder / "calibration.yaml")
    assert load_calibration(folder / "calibration.yaml").colour == old
    assert not rig.operator.sim.world.belt.running


def test_a_wrong_answer_at_the_machine_is_refused(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    hands = calibration.simulated._HANDS
    name_colour = hands["name"]

    def name(operator, task):
        return "Bright Pink" if task.what["place"] == 3 else name_colour(operator, task)

    monkeypatch.setitem(hands, "name", name)
    seen_data = collect(rig)
    with pytest.raises(RefusedError, match="brick 4 was named Bright Pink"):
        fit(rig, seen_data)

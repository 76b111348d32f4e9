"""The plane of a simulated machine is found from the sheet or from bricks, and what misleads is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from plane_truth import errors_of

from calibration.plane import STEP
from calibration.rig import Rig, Task
from calibration.simulated import SimOperator, simulated_rig
from calibration.step import RefusedError, check, run_step
from edge.config import example
from edge.config.load import load_bins, load_machine
from edge.sim.build import sim_settings
from edge.sim.hidden import draw_hidden
from edge.sim.laid import Glare, Sheet

MACHINE, BINS = load_machine(example("west-18") / "machine.yaml"), load_bins(example("west-18") / "bins.yaml")


def _rig(seed: int, measures_with: str = "sheet", machine=MACHINE) -> Rig:
    """A machine whose camera step has been done: it is lit and sharp."""
    truth = draw_hidden(machine, sim_settings(machine, BINS, parts=1), seed)
    rig = simulated_rig(machine, BINS, seed, replace(truth, lamp=0.9, focus_dioptres=1000 / 300))
    _operator(rig).measures_with = measures_with
    return rig


def _operator(rig: Rig) -> SimOperator:
    assert isinstance(rig.operator, SimOperator)
    return rig.operator


class _Meddler(SimOperator):
    """Does what is asked, and then something to what was laid."""

    meddle: Callable[[list], None]

    def do(self, task: Task) -> str:
        answer = SimOperator.do(self, task)
        if task.kind in {"lay-sheet", "lay-bricks"}:
            self.meddle(self.sim.camera.laid)
        return answer


def _meddle(rig: Rig, meddle: Callable[[list], None]) -> Rig:
    own = _operator(rig)
    rig.operator = _Meddler(own.sim, own.truth, own.say_to, own.tasks, own.rng, own.measures_with)
    rig.operator.meddle = meddle  # type: ignore[attr-defined]
    return rig


@pytest.mark.parametrize("seed", [4, 11])
@pytest.mark.parametrize("measures_with", ["sheet", "2x4", "2x3"])
def test_scale_lean_lens_and_way_are_found(seed: int, measures_with: str) -> None:
    rig = _rig(seed, measures_with)
    fit = STEP.fit(rig, STEP.collect(rig))
    check("plane", fit.section)
    errors = errors_of(fit.section, rig)
    assert errors.scale < 0.005
    assert errors.perspective_mm < 0.3
    assert abs(errors.yaw_deg) < 0.1
    assert errors.place_mm < 0.8


@pytest.mark.parametrize("direction", ["left", "down", "up"])
def test_whichever_way_the_belt_runs(direction: str) -> None:
    region = (340, 0, 940, 720) if direction in {"down", "up"} else MACHINE.camera.belt_region_px
    camera = MACHINE.camera.model_copy(update={"belt_direction": direction, "belt_region_px": region})
    rig = _rig(6, "2x4", MACHINE.model_copy(update={"camera": camera}))
    errors = errors_of(STEP.fit(rig, STEP.collect(rig)).section, rig)
    assert errors.scale < 0.005
    assert abs(errors.yaw_deg) < 0.15


def test_a_straightened_picture_has_its_rails_along_its_edge() -> None:
    rig = _rig(4)
    picture = STEP.fit(rig, STEP.collect(rig)).picture
    assert picture is not None
    # The rail is lighter than the frame above it: its edge lies in the same row from end to end.
    edges = [int((picture[20:80, u - 10 : u + 10, 1].mean(axis=1) > 85).argmax()) for u in (60, 640, 1220)]
    assert min(edges) > 10
    assert max(edges) - min(edges) <= 2


def test_it_writes_the_section_and_takes_little_of_the_users_time(tmp_path: Path) -> None:
    rig = _rig(4)
    rig.pictures = tmp_path
    run_step(STEP, rig, tmp_path / "calibration.yaml")
    assert (tmp_path / "plane.png").stat().st_size > 10_000
    assert rig.calibration.plane
    assert rig.config.camera.px_per_mm == rig.calibration.plane.px_per_mm
    assert "the printed sheet in 5 pictures" in rig.calibration.plane.measured_from
    assert _operator(rig).took_s <= 60


def _shift_mm(along_mm: float, y_mm: float) -> Callable[[list], None]:
    def shift(laid: list) -> None:
        sheet: Sheet = laid[0]
        place = replace(sheet.place, x_belt_mm=sheet.place.x_belt_mm - along_mm, y_mm=sheet.place.y_mm + y_mm)
        laid[0] = replace(sheet, place=place)

    return shift


def _mirror(laid: list) -> None:
    laid.append(Glare(640, 360))


def _swap(studs: tuple[int, int]) -> Callable[[list], None]:
    def swap(laid: list) -> None:
        laid[:] = [replace(brick, studs=studs) for brick in laid]

    return swap


def _one_of_another_kind(laid: list) -> None:
    laid[2] = replace(laid[2], studs=(3, 2))


@pytest.mark.parametrize(
    ("measures_with", "meddle", "reason"),
    [
        ("sheet", lambda laid: laid.clear(), "none of the sheet's corners and none of its marks"),
        ("sheet", _shift_mm(190.0, 0.0), "only partly in view: its corners span .* length"),
        ("sheet", _shift_mm(0.0, 75.0), "only partly in view: its corners span .* width"),
        ("sheet", _mirror, "a lamp is mirrored in it"),
        ("2x4", lambda laid: laid.clear(), "no bricks are seen whole"),
        ("2x4", lambda laid: laid.__delitem__(slice(2, None)), "2 bricks are seen whole, 4 are needed"),
        ("2x4", _mirror, "a lamp is mirrored in the belt"),
        ("2x4", _swap((3, 2)), "no brick of 31.8 × 15.8 mm"),
        ("2x4", _swap((1, 1)), "bricks? .*(of|are)"),
        ("2x3", _swap((4, 2)), "no brick of 23.8 × 15.8 mm|are they really that"),
        ("2x4", _one_of_another_kind, "no brick of 31.8 × 15.8 mm"),
    ],
)
def test_what_misleads_is_refused_and_the_old_calibration_stays(
    tmp_path: Path, measures_with: str, meddle: Callable[[list], None], reason: str
) -> None:
    file = tmp_path / "calibration.yaml"
    file.write_text("version: 1\n")
    with pytest.raises(RefusedError, match=reason) as refused:
        run_step(STEP, _meddle(_rig(4, measures_with), meddle), file)
    assert "\n" not in str(refused.value)
    assert file.read_text() == "version: 1\n"


def test_a_belt_that_stands_though_its_motor_is_on_is_refused() -> None:
    rig = _rig(4)
    _operator(rig).sim.world.belt.stalled = True
    with pytest.raises(RefusedError, match="the belt did not move"):
        STEP.fit(rig, STEP.collect(rig))


def test_a_belt_that_moves_another_way_than_written_is_refused() -> None:
    rig = _rig(4)
    data = STEP.collect(rig)
    rig.machine = MACHINE.model_copy(update={"camera": MACHINE.camera.model_copy(update={"belt_direction": "left"})})
    with pytest.raises(RefusedError, match="the belt moves right"):
        STEP.fit(rig, data)


def test_a_misprinted_sheet_is_refused() -> None:
    rig = _rig(4)
    own = _operator(rig)

    class Honest(SimOperator):
        def do(self, task: Task) -> str:
            return "no" if task.kind == "lay-sheet" else SimOperator.do(self, task)

    rig.operator = Honest(own.sim, own.truth)
    with pytest.raises(RefusedError, match="print it at 100 %"):
        STEP.collect(rig)


def test_bricks_twice_as_large_as_said_are_refused() -> None:
    """They look right in all but their size: only machine.yaml tells."""
    rig = _rig(4, "2x2")
    data = STEP.collect(rig)
    rig.machine = MACHINE.model_copy(update={"camera": MACHINE.camera.model_copy(update={"px_per_mm": 3.8})})
    with pytest.raises(RefusedError, match=r"machine\.yaml says 3\.8"):
        STEP.fit(rig, data)

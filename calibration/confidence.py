"""Step `confidence`: how far the model's scores may be believed on this machine, and how pure its user wants the bins.

A few kinds of parts, ten of each, ride past the camera and are named, kind by kind. `confidence_fit` tells how so few
are enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibration.confidence_batch import Batch, check_batch
from calibration.confidence_curve import curve_lines, draw_curve
from calibration.confidence_fit import (
    Judge,
    Judged,
    Sharpness,
    curve,
    error_factor,
    fit_sharpness,
    working_point,
)
from calibration.confidence_watch import ModelWatch, SeenPart, seen_parts
from calibration.ended import END, EndedError
from calibration.parts_run import PartsRun
from calibration.pictures import keep_picture
from calibration.rig import Rig, Task
from calibration.step import Fit, RefusedError, Step
from edge.bundle.manifest import load_bundle
from edge.bundle.reference import SeenParts, load_reference
from edge.catalogue.colours import load_colours
from edge.catalogue.parts import PartCatalogue
from edge.config.calibration import ConfidenceCalibration, Residual, WorkingPoint
from edge.fusion.configured import fusion_of
from edge.inference.classifier import Classifier
from edge.machine import Plans, colour_meter

KINDS, OF_EACH, EVERY_S = 4, 10, 1.0
"""A fifth kind makes no promise better (docs/results.md), and costs its user 25 s."""
FETCH_S, NAME_S, CHOOSE_S = 10.0, 5.0, 10.0
PATIENCE_S, QUIET_S = 30.0, 2.0
ONE_IN = (50, 100, 200, 1000)
"""Of the sorted parts, one in so many may be wrong: what the user chooses among."""
MOST_UNSURE, MOST_ODD = 25.0, 4.0


@dataclass(frozen=True, slots=True)
class ConfidenceData:
    """The parts that rode past, as they were named, and the purity that was asked for."""

    seen: SeenParts
    one_in: int


def collect(rig: Rig) -> ConfidenceData:
    """Lets kind after kind ride past, has each named, and has the working point chosen.

    Raises:
        RefusedError: too few parts of a kind were seen, or they are not of that kind.
        HardwareError: a device fails.
    """
    plans = plans_of(rig)
    accelerator = rig.open_accelerator(plans.bundle)
    try:
        seen = _seen(rig, plans, Classifier(accelerator, plans.bundle, colour_meter(plans)))
    finally:
        rig.belt_motor.stop()
        accelerator.close()
    return ConfidenceData(seen, choose(rig, found_in(plans, seen)))


def plans_of(rig: Rig) -> Plans:
    """What the machine sorts by, its bundle as it was shipped.

    Raises:
        RefusedError: it fuses its looks in a way that has no temperature.
    """
    config = rig.config
    if config.fusion.method != "tempered-product":
        raise RefusedError(
            f"confidence: fusion.method is {config.fusion.method}: only tempered-product can be calibrated"
        )
    bundle = load_bundle(config.model.bundle)
    return Plans(config, rig.bins, bundle, PartCatalogue(bundle.parts), load_colours(), rig.calibration, rig.machine)


def _seen(rig: Rig, plans: Plans, classifier: Classifier) -> SeenParts:
    fusion = fusion_of(plans.config.fusion, plans.bundle, plans.catalogue, len(plans.colours))
    watch = ModelWatch(classifier, fusion, plans.config.fusion.min_looks)
    run = PartsRun(rig, watch.see)
    run.start()
    batches = [_batch(rig, run, watch, plans, number) for number in range(1, KINDS + 1)]
    every = [part for batch in batches for part in batch.parts]
    return seen_parts(every, [batch.kind for batch in batches for _ in batch.parts], (), len(plans.colours))


def _batch(rig: Rig, run: PartsRun, watch: ModelWatch, plans: Plans, number: int) -> Batch:
    """One kind; after a refusal another in its place, for those before it are good.

    Raises:
        RefusedError: it was refused, and the operator ends it there.
    """
    while True:
        try:
            return _dropped(rig, run, watch, plans, number)
        except EndedError:
            raise
        except RefusedError as error:
            rig.operator.say(f"{error}")
            words = f"Drop kind {number} again, or another one, or end here?"
            if rig.operator.do(Task(words, "again-kind", {"number": number}, 5.0, ("again", END))) == END:
                raise


def _dropped(rig: Rig, run: PartsRun, watch: ModelWatch, plans: Plans, number: int) -> Batch:
    before = set(watch.seen)
    words = (
        f"Kind {number} of {KINDS}: press Enter, then drop {OF_EACH} parts of one kind on the running belt, a hand"
        " apart; any colours, any way up"
    )
    what = {"count": OF_EACH, "every_s": EVERY_S, "number": number}
    rig.operator.do(Task(words, "drop-kind", what, FETCH_S + OF_EACH * EVERY_S))
    parts = _pass_by(run, watch, before)
    batch = Batch(_name(rig, plans, number, parts), tuple(parts))
    check_batch(batch, plans)
    return batch


def _pass_by(run: PartsRun, watch: ModelWatch, before: set[int]) -> list[SeenPart]:
    """Until the parts of one kind have passed, or nobody drops any."""
    run.look_until_quiet(lambda: bool(set(watch.seen) - before), PATIENCE_S, QUIET_S)
    return [part for part in watch.whole() if part.track.track_id not in before and not part.touching]


def _name(rig: Rig, plans: Plans, number: int, parts: Sequence[SeenPart]) -> int:
    """The place of the named kind in the bundle.

    Raises:
        RefusedError: no parts came.
    """
    if not parts:
        raise RefusedError(
            f"confidence: no parts of kind {number} were seen whole and by themselves: drop them in the middle of the"
            " belt, a hand apart"
        )
    likely = plans.bundle.parts[int(np.argmax(sum(part.scores / part.weight for part in parts)))]
    answers = tuple(dict.fromkeys(number for part in plans.bundle.parts for number in (part.number, *part.moulds)))
    words = f"Which part were these {len(parts)}? Its number; they look like {likely.number}, {likely.name}."
    answer = rig.operator.do(Task(words, "name-kind", {"number": number, "likely": likely.number}, NAME_S, answers))
    kind = plans.catalogue.index(answer)
    if kind is None:
        raise RefusedError(f"confidence: the model knows no part {answer}: take kinds that it knows")
    return kind


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What was made of the named parts."""

    sharpness: Sharpness
    own: Judged
    many: Judged
    points: list[WorkingPoint]
    factor: float
    has_reference: bool


def found_in(plans: Plans, seen: SeenParts) -> Found:
    """Temperature, exponent and curve of a machine whose parts were seen."""
    bundle, wanted = plans.bundle, plans.config.fusion
    written = plans.written.fusion.exponent if plans.written else wanted.exponent
    codes = [colour.code for colour in plans.colours]
    reference = load_reference(bundle.reference, len(bundle.parts), codes) if bundle.reference else None
    judge = Judge(plans)
    sharpness = fit_sharpness(judge, seen, reference, bundle.fusion_exponent if written is None else written)
    own = judge.judge(seen, sharpness)
    # The reference was seen by the bundle as it was shipped: to it, that temperature is 1.
    many = judge.judge(reference, Sharpness(1.0, sharpness.exponent, 0.0)) if reference is not None else own
    factor = error_factor(own)
    return Found(sharpness, own, many, curve(many, factor), factor, reference is not None)


def choose(rig: Rig, found: Found) -> int:
    """Shows the curve, in words and, where pictures are kept, as one, and asks for the point to work at.

    Raises:
        RefusedError: none of those on offer can be promised.
    """
    reached = {one_in: working_point(found.points, 1 - 1 / one_in) for one_in in ONE_IN}
    usable = {one_in: point for one_in, point in reached.items() if point is not None}
    if not usable:
        raise RefusedError(
            f"confidence: not even one wrong part in {ONE_IN[0]} can be promised, at best"
            f" {max(point.purity for point in found.points):.1%} are right: measure camera, plane and colour again"
        )
    for line in curve_lines(reached, found.points):
        rig.operator.say(line)
    if rig.pictures is not None:
        file = rig.pictures / "confidence.png"
        if keep_picture(rig.operator, draw_curve(found.points, list(usable.values())), file):
            rig.operator.say(f"the curve, with these points in red: {file}")
    words = "One part in how many may be wrong in the bins? What is unsure is not sorted."
    answers = tuple(str(one_in) for one_in in usable)
    return int(rig.operator.do(Task(words, "choose-purity", {"one_in": tuple(usable)}, CHOOSE_S, answers)))


def fit(rig: Rig, data: ConfidenceData) -> Fit[ConfidenceCalibration]:
    """The section, at the working point that was chosen.

    Raises:
        RefusedError: it cannot be reached.
    """
    plans = plans_of(rig)
    found = found_in(plans, data.seen)
    point = working_point(found.points, 1 - 1 / data.one_in)
    if point is None:
        raise RefusedError(f"confidence: one wrong part in {data.one_in} cannot be promised: choose less")
    sharpness = found.sharpness
    kinds = len(np.unique(data.seen.kinds))
    section = ConfidenceCalibration(
        made_at=rig.now(),
        measured_from=f"{rig.source}, {len(data.seen)} parts of {kinds} kinds",
        residuals={
            "uncertainty of the temperature": Residual(value=100 * sharpness.log_sigma, limit=MOST_UNSURE, unit="%"),
            "parts wrong beyond what is promised": Residual(value=_oddity(found.own), limit=MOST_ODD, unit="sigma"),
        },
        bundle=plans.config.model.bundle,
        network=plans.bundle.network,
        temperature=round(sharpness.temperature, 4),
        exponent=round(sharpness.exponent, 4),
        sure_above=point.sure_above,
        curve=tuple(found.points),
    )
    notes = [
        f"the scores are {'too sure' if sharpness.temperature > 1 else 'too careful'} by"
        f" {abs(100 * (sharpness.temperature - 1)):.0f} %, give or take {100 * sharpness.log_sigma:.0f} %",
        f"a bin takes a part from {point.sure_above:.3f} on: {point.purity:.2%} right, {point.recovery:.0%} sorted",
    ]
    if not found.has_reference:
        notes.append(
            f"bundle {plans.bundle.name} has no reference parts: purity is promised from {len(data.seen)} parts alone"
        )
    return Fit(section, draw_curve(found.points, [point]), tuple(notes))


def _oddity(own: Judged) -> float:
    """Standard deviations by which more parts were wrong than their scores allow. Parts of a kind share their
    troubles: ten count as five."""
    expected, came = float((1 - own.mass).sum()), float((1 - own.right).sum())
    return max(came - expected, 0.0) / float(np.sqrt(2 * max((own.mass * (1 - own.mass)).sum(), 0.5)))


STEP: Step[ConfidenceData, ConfidenceCalibration] = Step(
    "confidence", "how far the scores may be believed, and how pure the bins are to be", collect, fit
)

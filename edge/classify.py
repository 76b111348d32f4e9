"""`brickgate classify`: pictures in, answers out, one at a time.

Each picture is one look: the part is found in it, recognised and its colour measured; pictures of one group are looks
at one part and are fused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Protocol, TextIO

import cv2
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge.bundle.dequantize import log_softmax
from edge.bundle.manifest import Bundle, load_bundle
from edge.bundle.preprocess import InputSpec, cut
from edge.bundle.size import load_size_evidence, sides_mm
from edge.bundle.unknown import COSTS_LITTLE
from edge.catalogue.colours import Colour, load_colours
from edge.catalogue.parts import PartCatalogue
from edge.catalogue.prior import Prior, read_prior, shares
from edge.clock import Clock, MonotonicClock
from edge.errors import InputError
from edge.fusion.verdict import Fusion, FusionSettings
from edge.hardware.interfaces import Accelerator
from edge.hardware.tflite import CpuAccelerator
from edge.inference.classifier import NO_COLOUR, Classifier
from edge.inference.colour import ColourMeter
from edge.inference.finder import Found, find_part
from edge.inference.picture import Group, Picture, read_picture
from edge.inference.plain import PlainClassifier, read_labels
from edge.records import TOP_VIEW, ImageBgr, Look, Prediction, Scores, Verdict

TOP = 5
COLOURS = 3
CROP_MARGINS = (1.0, 2.0)
"""Margins of the crops of one still picture, as multiples of the bundle's: their mean is steadier than either."""
WHOLE_MARGINS = (0.5, 1.0, 1.5)
PART_CROP_SHARE = 0.4
"""A picture that the part fills to such a share was cropped by somebody: it is then tried whole as well."""
MARGIN = 0.25
"""Background kept around the part, as a share of its longer side, as the tracker does."""
PLAIN_SURE_ABOVE = 0.5


@dataclass(frozen=True, slots=True)
class Named:
    """A part (its number) or a colour (its LDraw code) with the name people know and its posterior."""

    key: str
    name: str
    score: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What one group of pictures shows. `errors` has a line for each picture that could not be used; with no look
    at all the answer is empty."""

    files: tuple[str, ...]
    looks: int = 0
    top: tuple[Named, ...] = ()
    colour: tuple[Named, ...] = ()
    unsure: bool = True
    reason: str = ""
    ms: float = 0.0
    errors: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The answer in plain values: `files` and `error` alone where no picture could be used."""
        if not self.looks:
            return {"files": list(self.files), "error": "; ".join(self.errors)}
        return {
            "files": list(self.files),
            "looks": self.looks,
            "top": [{"part": n.key, "name": n.name, "score": round(n.score, 4)} for n in self.top],
            "colour": [{"name": n.name, "ldraw_code": int(n.key), "score": round(n.score, 4)} for n in self.colour],
            "unsure": self.unsure,
            "ms": round(self.ms, 2),
        }


class Recogniser(Protocol):
    """Names what the pictures of one part show. `parts` and `colours` are (key, name) in the order of a verdict."""

    parts: tuple[tuple[str, str], ...]
    colours: tuple[tuple[str, str], ...]

    def recognise(self, images: Sequence[tuple[Picture, ImageBgr]]) -> Verdict: ...


def classify_pictures(
    groups: Iterable[Group], recogniser: Recogniser, top: int = TOP, clock: Clock | None = None
) -> Iterator[Answer]:
    """One answer a group, each as soon as it is known; pictures that cannot be read are named in `Answer.errors`."""
    clock = clock or MonotonicClock()
    for group in groups:
        images: list[tuple[Picture, ImageBgr]] = []
        errors: list[str] = []
        for picture in group:
            try:
                images.append((picture, read_picture(picture.file)))
            except InputError as error:
                errors.append(str(error))
        if not images:
            yield Answer(tuple(picture.name for picture in group), errors=tuple(errors))
            continue
        start_s = clock.now_s()
        verdict = recogniser.recognise(images)
        yield Answer(
            files=tuple(picture.name for picture, _ in images),
            looks=verdict.looks,
            top=_named(recogniser.parts, verdict.part_posterior, top),
            colour=_named(recogniser.colours, verdict.colour_posterior, COLOURS),
            unsure=verdict.unsure,
            reason=verdict.reason,
            ms=1e3 * (clock.now_s() - start_s),
            errors=tuple(errors),
        )


@contextmanager
def open_recogniser(
    bundle: str, model: Path | None = None, labels: Path | None = None, prior: str | None = None
) -> Iterator[Recogniser]:
    """Opens a bundle, or a plain model with its label file, on the CPU.

    Args:
        bundle: a shipped bundle's name or a folder.
        model: a TFLite file instead.
        labels: its label file.
        prior: how common the bundle's parts are, see `read_prior`; None: as the bundle says.

    Raises:
        BundleError: a bundle or model that is missing, damaged or does not fit.
        InputError: a model without labels, labels without a model, or a prior that cannot be read.
        HardwareError: no TFLite runtime.
    """
    if (model is None) != (labels is None):
        raise InputError("--model and --labels belong together: name the TFLite file and its label file")
    wanted = read_prior(prior) if prior else None
    accelerator = CpuAccelerator()
    try:
        if model is not None and labels is not None:
            names = read_labels(labels)
            accelerator.load(model)
            yield PlainRecogniser(PlainClassifier(accelerator, names))
        else:
            loaded = load_bundle(bundle)
            accelerator.load(loaded.model)
            yield PartRecogniser(accelerator, loaded, load_colours(), wanted)
    finally:
        accelerator.close()


class PartRecogniser:
    """Recognises parts and colours.

    Args:
        accelerator: has the bundle's model loaded.
        bundle: the model bundle.
        colours: the catalogue's colours.
        prior: how common the parts are; None: as the bundle says.
    """

    def __init__(
        self, accelerator: Accelerator, bundle: Bundle, colours: Sequence[Colour], prior: Prior | None = None
    ) -> None:
        self.parts = tuple((part.number, part.name) for part in bundle.parts)
        self.colours = tuple((str(colour.code), colour.name) for colour in colours)
        self._input = bundle.input
        self._classifier = Classifier(accelerator, bundle)
        self._colours = ColourMeter(colours)
        self._settings = FusionSettings(exponent=bundle.fusion_exponent, sure_above=bundle.unsure_below)
        self._size = load_size_evidence(bundle.size_evidence, len(bundle.parts)) if bundle.size_evidence else None
        self._familiarity = bundle.familiarity.losing(COSTS_LITTLE) if bundle.familiarity else None
        self._prior = shares(prior or read_prior(bundle.prior), PartCatalogue(bundle.parts))

    def recognise(self, images: Sequence[tuple[Picture, ImageBgr]]) -> Verdict:
        """The fused verdict over the parts of the bundle and the colours."""
        fusion = Fusion(len(self.parts), len(self.colours), self._settings, self._size, self._prior, self._familiarity)
        sizes_mm: list[tuple[float, float]] = []
        for index, (picture, image) in enumerate(images):
            found = find_part(image)
            look = _look(image, found, index, picture.mm_per_px)
            fusion.add(self._predict(look, image, found))
            if picture.mm_per_px is not None and look.mask is not None and _is_whole(found, image):
                sizes_mm.append(sides_mm(look.mask, picture.mm_per_px))
        if sizes_mm:
            lengths_mm, widths_mm = zip(*sizes_mm, strict=True)
            fusion.set_size(0, median(lengths_mm), median(widths_mm))
        return fusion.verdict(0)

    def _predict(self, look: Look, image: ImageBgr, found: Found) -> Prediction:
        """One look from several crops of a still picture, in colour and in grey: the mean of their log-probabilities.

        A machine's pictures are balanced to its lamp; of a still picture's lamp nothing is known, and grey ones do not
        show it.
        """
        crops = [*_crops(image, found, self._input), *_crops(_in_grey(image), found, self._input)]
        views = [self._classifier.classify(replace(look, crop_bgr=crop, mask=None)) for crop in crops]
        mean = np.mean([view.part_log_scores for view in views], axis=0)
        return replace(views[0], part_log_scores=log_softmax(mean), colour_log_scores=self._colours.measure(look))


class PlainRecogniser:
    """Names whole pictures with a plain TFLite classifier."""

    def __init__(self, classifier: PlainClassifier) -> None:
        self.parts = tuple((label, label) for label in classifier.labels)
        self.colours: tuple[tuple[str, str], ...] = ()
        self._classifier = classifier

    def recognise(self, images: Sequence[tuple[Picture, ImageBgr]]) -> Verdict:
        """The fused verdict over the labels."""
        fusion = Fusion(len(self.parts), 0, FusionSettings(sure_above=PLAIN_SURE_ABOVE))
        for index, (_, image) in enumerate(images):
            scores = self._classifier.classify(image)
            fusion.add(Prediction(0, index, TOP_VIEW, scores, NO_COLOUR, 1.0))
        return fusion.verdict(0)


def _look(image: ImageBgr, found: Found, index: int, mm_per_px: float | None) -> Look:
    """The part with some background around it; a tight crop as it is."""
    if found.tight:
        return Look(0, index, TOP_VIEW, image, mm_per_px, 1.0, found.background_bgr, None)
    u0, v0, u1, v1 = found.box_px
    margin = round(MARGIN * max(u1 - u0, v1 - v0))
    rows = slice(max(v0 - margin, 0), v1 + margin)
    columns = slice(max(u0 - margin, 0), u1 + margin)
    crop, mask = image[rows, columns], np.ascontiguousarray(found.mask[rows, columns])
    return Look(0, index, TOP_VIEW, crop, mm_per_px, 1.0, found.background_bgr, mask)


def _crops(image: ImageBgr, found: Found, spec: InputSpec) -> list[ImageBgr]:
    """Square pictures of the part, framed in several ways."""
    height, width = image.shape[:2]
    u0, v0, u1, v1 = found.box_px
    framings = [(found.box_px, factor) for factor in CROP_MARGINS]
    if (u1 - u0) * (v1 - v0) >= PART_CROP_SHARE * width * height:
        framings += [((0, 0, width, height), factor) for factor in WHOLE_MARGINS]
    return [cut(image, box, replace(spec, margin=factor * spec.margin))[..., ::-1] for box, factor in framings]


def _in_grey(image: ImageBgr) -> ImageBgr:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


def _is_whole(found: Found, image: ImageBgr) -> bool:
    """Whether the part lies clear of the picture's border, so that its size can be measured."""
    u0, v0, u1, v1 = found.box_px
    return u0 > 0 and v0 > 0 and u1 < image.shape[1] and v1 < image.shape[0]


def _named(names: Sequence[tuple[str, str]], posterior: Scores, count: int) -> tuple[Named, ...]:
    best = np.argsort(-posterior, kind="stable")[:count]
    return tuple(Named(names[k][0], names[k][1], float(posterior[k])) for k in best)


def print_json(answers: Iterable[Answer], out: TextIO, problems: TextIO) -> int:
    """One JSON line an answer, as it comes; errors also as lines on `problems`. Returns the exit code."""
    failed = False
    for answer in answers:
        failed |= _print_errors(answer, problems)
        print(json.dumps(answer.to_json(), ensure_ascii=False), file=out, flush=True)
    return int(failed)


def print_table(answers: Iterable[Answer], console: Console, problems: TextIO) -> int:
    """A table for people, one row an answer; errors as lines on `problems`. Returns the exit code."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("picture", overflow="ellipsis", no_wrap=True, min_width=12)
    table.add_column("part")
    table.add_column("score", justify="right")
    table.add_column("next best")
    table.add_column("colour")
    table.add_column("ms", justify="right")
    failed = False
    for answer in answers:
        failed |= _print_errors(answer, problems)
        if answer.looks:
            table.add_row(*_cells(answer))
    if table.row_count:
        console.print(table)
    return int(failed)


def _print_errors(answer: Answer, problems: TextIO) -> bool:
    for error in answer.errors:
        print(error, file=problems, flush=True)
    return bool(answer.errors)


def _cells(answer: Answer) -> tuple[Text, ...]:
    best = answer.top[0]
    first, *more = answer.files
    picture = Text(Path(first).name + (f" +{len(more)}" if more else ""))
    name = "" if best.name == best.key else f" {best.name}"
    part = Text.assemble((best.key, "bold"), name, (" unsure" if answer.unsure else "", "yellow"))
    others = Text("\n".join(f"{other.key} {other.score:.0%}" for other in answer.top[1:3]))
    colour = Text("\n".join(f"{colour.name} {colour.score:.0%}" for colour in answer.colour[:2]))
    return picture, part, Text(f"{best.score:.0%}"), others, colour, Text(f"{answer.ms:.1f}")

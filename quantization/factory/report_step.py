"""The page about a model: made from what the evaluation stored, again and again at little cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge.bundle.manifest import sha256
from edge.catalogue.lookalikes import LookAlike, groups, load_look_alikes
from edge.errors import InputError
from quantization.evaluate.report import Report, Subject, render_report
from quantization.evaluate.scores import PICTURES, load_scores
from quantization.evaluate.speed import THREADS, computer, measure_speed
from quantization.factory.quantize_step import converted_model, unfinished_training
from quantization.factory.workshop import Workshop

FILES = {"int8": "model.tflite", "float": "float.tflite"}


def write_report(shop: Workshop, out: Path, layout: str, look_alikes: Path | None, speed: bool) -> Path:
    """Writes the HTML page about the model that was evaluated last.

    Args:
        shop: of the model.
        out: the page.
        layout: an example machine's name or a bins.yaml, for the accuracy by bin.
        look_alikes: file of look-alike parts; None for the shipped one.
        speed: measure how fast the model answers on this computer.

    Raises:
        InputError: not evaluated yet, or something else was; or there is no place for the page.
        ConfigError: no such layout.
    """
    model = converted_model(shop)
    evaluation = shop.read_evaluation()
    numbers = [family.number for family in shop.families]
    pairs = _given_pairs(look_alikes, numbers, shop.report) if look_alikes else None
    scores = load_scores(shop.scores, shop.recipe.name, numbers, sha256(model))
    _make_place(out)
    files = {name: file for name, it in FILES.items() if (file := shop.converted / it).is_file()}
    input_px, unfinished = shop.recipe.input_px, unfinished_training(shop)
    subject = Subject(
        title=f"Brickgate {shop.recipe.name}" + (f", of a training at {unfinished}" if unfinished else ""),
        input_px=input_px,
        evaluation=evaluation,
        files=files,
        speeds={name: measure_speed(file, input_px, THREADS) for name, file in files.items()} if speed else {},
        computer=computer(),
        layout=layout,
        groups=groups(numbers, pairs),
    )
    page = render_report(scores, subject, shop.scores / PICTURES, shop.report)
    new = out.with_name(f".{out.name}.new")
    new.write_text(page, encoding="utf-8")
    new.replace(out)
    shop.report(f"report written to {out}: {len(page.encode()) / 1e6:.2f} MB")
    return out


def _make_place(out: Path) -> None:
    """Makes the folder of the page."""
    if out.is_dir():
        raise InputError(f"{out} is a folder: give --out a file, such as {out / 'report.html'}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out.parent} cannot be made ({error.strerror}): name another place with --out") from error


def _given_pairs(file: Path, numbers: Sequence[str], say: Report) -> tuple[LookAlike, ...]:
    """The pairs of a file that a user gave, and how many of them mean nothing to this model."""
    pairs, known = load_look_alikes(file), set(numbers)
    strange = sum(not {pair.part, pair.other} <= known for pair in pairs)
    if strange:
        say(f"{file}: {strange} of {len(pairs)} pairs name a part that is not in this model: they count for nothing")
    return pairs

"""Step 4: the model for each accelerator, and the gate that every file must pass."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from edge.bundle.manifest import sha256
from edge.errors import InputError
from quantization.data.stream import stream
from quantization.export import edgetpu, hailo
from quantization.export.flatbuffer import obstacles, read_contents
from quantization.export.onnx_graph import OnnxModel, write_onnx
from quantization.export.parity import Parity, check, compare
from quantization.factory.quantize_step import converted_model, quantized_from, unseen_looks
from quantization.factory.workshop import Workshop
from quantization.quantize.compare import logits_of
from quantization.quantize.convert import TfliteModel
from quantization.quantize.fold import folded

Accelerator = Literal["cpu", "edgetpu", "hailo8", "hailo8l"]
PICTURES = 500
"""Unseen pictures that every file must answer as the float network does."""
RECORD = "exports.json"


@dataclass(frozen=True, slots=True)
class Export:
    """One exported file.

    Attributes:
        accelerator: what a bundle serves with it; None: it is for other compilers.
        file: its name in the folder of exports.
        parity: how it compares with the float network; None: it cannot be run here.
        note: what was checked, or could not be.
    """

    accelerator: Accelerator | None
    file: str
    parity: Parity | None
    note: str


def export(shop: Workshop) -> list[Export]:
    """Exports the model for the CPU, the Edge TPU, ONNX and Hailo, as far as the compilers are installed.

    Leaves the files and `exports.json` in the folder of exports; a bundle takes only what is listed there.

    Raises:
        InputError: nothing has been converted yet, or for pictures of another size.
        BrickgateError: a compiler failed, or a file does not answer as the float network does.
    """
    record = shop.exports / RECORD
    network, int8 = quantized_from(shop), converted_model(shop)
    shop.exports.mkdir(exist_ok=True)
    record.unlink(missing_ok=True)
    pictures = unseen_looks(shop, PICTURES, shop.recipe.seed + 3).pictures
    reference = logits_of(network, pictures)

    def gate(name: str, logits: Callable[[Any], Any], least: float) -> Parity:
        parity = compare(reference, logits(pictures))
        check(name, parity, least)
        return parity

    model = shop.exports / "model.tflite"
    shutil.copyfile(int8, model)
    on_cpu = gate(model.name, TfliteModel(model).logits, shop.recipe.least_agreement)
    exports = [Export("cpu", model.name, on_cpu, "full-integer TFLite, run on the CPU")]
    exports += _for_edge_tpu(shop, model, on_cpu)
    onnx_file = shop.exports / "model.onnx"
    if importlib.util.find_spec("onnx") is None:
        shop.report("ONNX and Hailo: onnx is not installed (`pip install 'brickgate[onnx]'`): not exported")
    else:
        write_onnx(*folded(network), shop.recipe.input_px, onnx_file)
        parity = None
        note = "float ONNX; onnxruntime is not installed, so it was checked by its schema only"
        if importlib.util.find_spec("onnxruntime") is not None:
            parity = gate(onnx_file.name, OnnxModel(onnx_file).logits, shop.recipe.least_float_agreement)
            note = "float ONNX, run by onnxruntime"
        exports.append(Export(None, onnx_file.name, parity, note))
        exports += _for_hailo(shop, onnx_file, parity)
    for made in exports:
        shop.report(f"{made.file}: {_said(made.parity)}{made.note}")
    content = {"model_sha256": sha256(model), "exports": [asdict(made) for made in exports]}
    record.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return exports


def _said(parity: Parity | None) -> str:
    return "" if parity is None else f"{parity.agreement:.1%} as the float network on {parity.pictures} pictures; "


def _for_edge_tpu(shop: Workshop, model: Path, on_cpu: Parity) -> Iterator[Export]:
    hindering = obstacles(read_contents(model))
    if hindering:
        shop.report(f"Edge TPU: {model.name} would not be mapped whole: {'; '.join(hindering)}")
    compiler = edgetpu.find_compiler()
    if compiler is None:
        fit = "" if hindering else "every operator, type and shape is one that it maps; "
        shop.report(
            f"Edge TPU: {fit}{edgetpu.COMPILER} is not installed here, so nothing was compiled: run"
            " 'brickgate-model export' where it is"
        )
        return
    compiled = edgetpu.compile_for_edge_tpu(compiler, model, shop.exports)
    note = f"{compiled.note}; the file it was compiled from was compared, for a Coral alone can run it"
    yield Export("edgetpu", compiled.file.name, on_cpu, note)


def _for_hailo(shop: Workshop, onnx_file: Path, parity: Parity | None) -> Iterator[Export]:
    folder = shop.exports / "hailo"
    wanted = hailo.CALIBRATION_PICTURES
    pictures = next(stream(shop.renders, shop.recipe.input_px, wanted, shop.recipe.seed + 4, 0))[0].numpy()
    hailo.prepare_for_hailo(pictures, onnx_file, folder)
    compiler = hailo.find_compiler()
    if compiler is not None and parity is None:
        shop.report(
            "Hailo: without onnxruntime nothing tells whether the network answers as it should, so nothing was"
            " compiled: `pip install 'brickgate[onnx]'` and run 'brickgate-model export' again"
        )
        return
    if compiler is None:
        shop.report(f"Hailo: its compiler is not installed here; {folder / hailo.README} says what to run where it is")
        return
    for chip in hailo.CHIPS:
        compiled = hailo.compile_for_hailo(compiler, chip, onnx_file, folder)
        name = f"model_{chip}.hef"
        shutil.copyfile(compiled, shop.exports / name)
        accelerator: Accelerator = "hailo8" if chip == "hailo8" else "hailo8l"
        yield Export(accelerator, name, parity, "the ONNX file it was compiled from was compared: a Hailo runs it")


def exported(shop: Workshop) -> list[Export]:
    """What was exported of the model as it is converted now.

    Raises:
        InputError: nothing, or another model.
    """
    record = shop.exports / RECORD
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        made = [Export(**{**e, "parity": e["parity"] and Parity(**e["parity"])}) for e in content["exports"]]
        of = content["model_sha256"]
    except FileNotFoundError as error:
        raise InputError(f"{record} is missing: run 'brickgate-model export' first") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{record} is damaged: run 'brickgate-model export' again") from error
    if of != sha256(shop.converted / "model.tflite"):
        raise InputError(f"{record} is of another model than the converted one: run 'brickgate-model export' again")
    missing = next((e.file for e in made if not (shop.exports / e.file).is_file()), None)
    if missing:
        raise InputError(f"{shop.exports / missing} is missing: run 'brickgate-model export' again")
    return made

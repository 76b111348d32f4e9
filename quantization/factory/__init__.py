"""The steps that make a model, each of which can be run alone and goes on where it stopped.

render → train (or distill) → quantize → evaluate → export → bundle. Everything intermediate lies in a work folder, the
bundle where asked.
"""

from quantization.factory.bundle_step import bundle
from quantization.factory.distill_step import distill, train_teacher
from quantization.factory.evaluate_step import evaluate
from quantization.factory.export_step import export
from quantization.factory.quantize_step import quantize
from quantization.factory.render_step import render
from quantization.factory.train_step import train
from quantization.factory.training_data import read_share
from quantization.factory.workshop import Workshop

__all__ = [
    "Workshop",
    "bundle",
    "distill",
    "evaluate",
    "export",
    "quantize",
    "read_share",
    "render",
    "train",
    "train_teacher",
]

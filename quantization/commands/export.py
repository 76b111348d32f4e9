"""The model for each accelerator."""

from __future__ import annotations

from quantization.commands.options import RecipeName, Work, open_shop


def export(recipe: RecipeName = "starter", work: Work = None) -> None:
    """Exports the model for the CPU, the Edge TPU, ONNX and Hailo, and compares each file with the float network."""
    from quantization import factory

    factory.export(open_shop(recipe, work))

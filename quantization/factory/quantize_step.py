"""Step 3: the trained network as int8 TFLite."""

from __future__ import annotations

from quantization.data.stream import stream
from quantization.factory.train_step import trained
from quantization.factory.workshop import Workshop
from quantization.quantize.convert import convert


def quantize(shop: Workshop) -> None:
    """Converts the trained network to int8 TFLite."""
    network = trained(shop)
    pictures, _ = next(
        stream(shop.renders, shop.recipe.input_px, shop.recipe.representative_pictures, shop.recipe.seed + 1, 0)
    )
    model = convert(network, pictures.numpy(), shop.recipe.input_px, shop.converted)
    shop.report(f"{model}: {model.stat().st_size / 1e6:.2f} MB")

"""A contact sheet of a shard, to be looked at before training on it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from quantization.render.compose import compose

COLUMNS = 17
MOST = 204
# Red, yellow, greys, white, black, blue, green, brown, tan, orange, pink, lime: LDConfig's values.
COLOURS = (
    "C91A09", "F2CD37", "A0A5A9", "6C6E68", "FFFFFF", "05131D", "0055BF",
    "237841", "582A12", "E4CD9E", "FE8A18", "FC97AC", "BBE90B",
)  # fmt: skip


def write_contact(shard: Path, families: Sequence[str], path: Path) -> None:
    """Write looks spread over a shard, in random colours on a plain belt, as one picture."""
    layers = np.load(shard, mmap_mode="r")
    with np.load(shard.with_suffix(".npz")) as kept:
        family, clear = kept["family"], kept["transparent"]
    rng = np.random.default_rng(0)
    tiles: list[NDArray[Any]] = []
    for row in np.linspace(0, len(layers) - 1, min(MOST, len(layers))).astype(int):
        code = COLOURS[int(rng.integers(len(COLOURS)))]
        colour = np.array([int(code[k : k + 2], 16) for k in (0, 2, 4)], np.float32) / 255
        belt = (np.array([0.95, 1.0, 1.02]) * rng.uniform(0.4, 0.8)).astype(np.float32)
        tile = np.ascontiguousarray(compose(np.asarray(layers[row]), colour, belt, bool(clear[row]))[..., ::-1])
        cv2.putText(
            tile,
            str(families[int(family[row])]),
            (3, tile.shape[0] - 5),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.4,
            (40, 40, 200),
        )
        tiles.append(tile)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.concatenate(tiles[k : k + COLUMNS], axis=1) for k in range(0, len(tiles), COLUMNS)]
    cv2.imwrite(str(path), np.concatenate(rows))

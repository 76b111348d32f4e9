"""A contact sheet of a set, to be looked at before training on it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import InputError
from quantization.data.shards import ANEW, ShardIndex
from quantization.render.compose import compose

COLUMNS = 17
MOST = 204
CONTACT_FILE = "contact.png"
# Red, yellow, greys, white, black, blue, green, brown, tan, orange, pink, lime: LDConfig's values.
COLOURS = (
    "C91A09", "F2CD37", "A0A5A9", "6C6E68", "FFFFFF", "05131D", "0055BF",
    "237841", "582A12", "E4CD9E", "FE8A18", "FC97AC", "BBE90B",
)  # fmt: skip


def write_contact(shards: ShardIndex, path: Path) -> None:
    """Write looks spread over a set as one picture: layers in random colours on a plain belt, pictures as they are."""
    rng = np.random.default_rng(0)
    tiles: list[NDArray[Any]] = []
    for index in np.linspace(0, len(shards) - 1, min(MOST, len(shards))).astype(int):
        tile = _tile(shards, int(index), rng)
        cv2.putText(
            tile,
            str(shards.labels["part"][index]),
            (3, tile.shape[0] - 5),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.4,
            (40, 40, 200),
        )
        tiles.append(tile)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.concatenate(tiles[k : k + COLUMNS], axis=1) for k in range(0, len(tiles), COLUMNS)]
    temporary = path.with_name(f".{path.stem}-{os.getpid()}.png")
    cv2.imwrite(str(temporary), np.concatenate(rows))
    temporary.replace(path)


def _tile(shards: ShardIndex, index: int, rng: np.random.Generator) -> NDArray[Any]:
    """Return a blue-green-red picture of one sample."""
    decoded = cv2.imdecode(np.frombuffer(shards.picture(index), np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise InputError(f"{shards.name(index)} is not a picture: {ANEW}")
    if shards.labels["kind"][index] != "layers":
        return decoded
    code = COLOURS[int(rng.integers(len(COLOURS)))]
    colour = np.array([int(code[k : k + 2], 16) for k in (0, 2, 4)], np.float32) / 255
    belt = (np.array([0.95, 1.0, 1.02]) * rng.uniform(0.4, 0.8)).astype(np.float32)
    layers = np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGRA2RGBA), np.uint8)
    return np.ascontiguousarray(compose(layers, colour, belt, bool(shards.labels["transparent"][index]))[..., ::-1])

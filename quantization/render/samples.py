"""From a plan's entry to a sample of a shard: the picture and its label."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

from quantization.data.layers import encode_layers_png, hull_corners
from quantization.ldraw.mesh import PartMesh
from quantization.ldraw.recess import with_recesses
from quantization.ldraw.store import Part, load_part
from quantization.render.pictures import colour_look
from quantization.render.plan import ShardPlan
from quantization.render.renderer import Renderer
from quantization.render.sampler import RECESS_SHARE, sample_rng, sample_scene
from quantization.render.scene import RenderedLook
from quantization.render.view import outside

KEPT_PARTS = 8

Sample = tuple[str, bytes, str, dict[str, Any]]
"""Key, encoded picture, extension and label, as `ShardWriter.add` takes them."""


class SampleMaker:
    """Renders samples of a plan, in any order; each depends on the seed, the family and its index alone."""

    def __init__(self, plan: ShardPlan, cache_dir: Path, renderer: Renderer) -> None:
        self._plan, self._cache_dir, self._renderer = plan, cache_dir, renderer
        self._parts: OrderedDict[str, tuple[Part, PartMesh]] = OrderedDict()

    def make(self, family: int, index: int) -> Sample:
        """Render one sample.

        Raises:
            BrickgateError: a part cannot be built or framed.
        """
        plan, name = self._plan, self._plan.families[family]
        rng = sample_rng(plan.seed, name, index)
        moulds = plan.moulds[family]
        mould = moulds[int(rng.integers(len(moulds)))]
        part, with_recess = self._part(mould)
        recessed = bool(rng.random() < RECESS_SHARE) and len(part.recesses_mm) > 0
        scene = outside(sample_scene(rng, part.poses), part.mesh.vertices_mm)
        look = self._renderer.look(with_recess if recessed else part.mesh, scene)
        label = _label(plan, name, look) | {
            "distance_mm": round(scene.distance_mm, 1),
            "mould": mould,
            "index": index,
            "underside_recess": recessed,
        }
        if plan.kind == "layers":
            picture, extension = encode_layers_png(look.layers), "png"
        else:
            picture, label["colour"] = colour_look(look, rng)
            extension = "jpg"
        return f"{name}-{index:06d}", picture, extension, label

    def _part(self, mould: str) -> tuple[Part, PartMesh]:
        if mould not in self._parts:
            part = load_part(mould, self._cache_dir)
            self._parts[mould] = (part, with_recesses(part.mesh, part.recesses_mm))
            if len(self._parts) > KEPT_PARTS:
                self._parts.popitem(last=False)
        return self._parts[mould]


def _label(plan: ShardPlan, family: str, look: RenderedLook) -> dict[str, Any]:
    return {
        "part": family,
        "colour": None,
        "pose": look.pose,
        "mm_per_px": round(look.mm_per_px, 6),
        "elevation_deg": round(look.elevation_deg, 3),
        "azimuth_deg": round(look.azimuth_deg, 3),
        "transparent": look.transparent,
        "group": None,
        "split": plan.split,
        "source": "render",
        "kind": "layers" if plan.kind == "layers" else "picture",
        "box_px": [round(edge, 2) for edge in look.box_px],
        "hull_px": hull_corners(look.layers[..., 3]).astype(int).tolist(),
    }

"""The renderer's geometry and light, on a cube, and the sampler and shards on hand-made parts."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from edge.errors import BrickgateError
from quantization.ldraw.mesh import PartMesh, mesh_from_triangles
from quantization.ldraw.poses import resting_poses
from quantization.render.renderer import Renderer
from quantization.render.sampler import sample_rng, sample_scene
from quantization.render.scene import Fill, Scale, Scene

CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=np.float64)
QUADS = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
TOP = Scene(np.eye(3, dtype=np.float32), 90.0, edge_wear=0.0, distance_mm=300.0)


def box(*sides_mm: float) -> PartMesh:
    corners = CORNERS * sides_mm
    faces = [corners[[q[0], q[k], q[k + 1]]] for q in QUADS for k in (1, 2)]
    return mesh_from_triangles("box", np.array(faces))


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    try:
        made = Renderer(160)
    except BrickgateError as error:
        pytest.skip(str(error))
    yield made
    made.close()


def test_a_box_from_above_has_its_projected_area(renderer: Renderer) -> None:
    look = renderer.look(box(16, 16, 8), TOP)
    x0, y0, x1, y1 = look.box_px
    assert max(x1 - x0, y1 - y0) == pytest.approx(0.62 * 160, rel=1e-6)
    area = look.layers[..., 3].sum() / 255
    assert area == pytest.approx((x1 - x0) * (y1 - y0), rel=0.02)


def test_scale_is_that_of_the_belt_plane(renderer: Renderer) -> None:
    thin = renderer.look(box(16, 16, 0.01), TOP)
    assert thin.mm_per_px == pytest.approx(16 / (thin.box_px[2] - thin.box_px[0]), rel=1e-3)
    high = renderer.look(box(16, 16, 20), TOP)  # its top is nearer to the camera, so a belt pixel spans more
    seen_mm = (high.box_px[2] - high.box_px[0]) * high.mm_per_px
    assert seen_mm == pytest.approx(16 * (300 + 10) / (300 - 10), rel=1e-3)


def test_a_sprite_keeps_its_scale_and_knows_its_anchor(renderer: Renderer) -> None:
    scene = replace(TOP, framing=Scale(mm_per_px=0.25, margin_px=6))
    look = renderer.look(box(16, 8, 0.01), scene)
    assert look.mm_per_px == pytest.approx(0.25)
    rows, columns = np.nonzero(look.layers[..., 3] > 127)
    size = sorted([np.ptp(rows) + 1, np.ptp(columns) + 1])
    assert size == pytest.approx([32, 64], abs=1)
    assert look.anchor_px == pytest.approx((columns.mean() + 0.5, rows.mean() + 0.5), abs=0.6)
    with pytest.raises(BrickgateError, match="larger than the renderer"):
        renderer.look(box(90, 8, 3), scene)


def test_the_camera_sees_what_it_should(renderer: Renderer) -> None:
    # A camera at +x sees +y on its right: a tall post at +y stands right of the middle, and upright.
    post = mesh_from_triangles(
        "post",
        np.concatenate(
            [
                box(2, 30, 2).vertices_mm[box(2, 30, 2).triangles],
                box(2, 2, 12).vertices_mm[box(2, 2, 12).triangles] + [0, 28, 0],
            ]
        ).astype(np.float64),
    )
    seen = renderer.look(post, Scene(np.eye(3, dtype=np.float32), 10.0, 0.0)).layers[..., 3] > 127
    highest = np.argmax(seen.any(axis=1))
    assert np.nonzero(seen[highest])[0].mean() > 100


def test_light_above_and_shadow_beside(renderer: Renderer) -> None:
    layers = renderer.look(box(16, 16, 10), replace(TOP, framing=Fill(0.5))).layers
    top = layers[75:85, 75:85, 0]
    assert 100 < top.mean() < 150  # a white face towards the light is 127.5
    assert layers[..., 2].max() > 245
    beside = layers[80, :, 2].astype(int)
    assert beside[layers[80, :, 3] == 0].min() < 200


def test_from_below_there_is_no_belt(renderer: Renderer) -> None:
    look = renderer.look(box(16, 16, 10), replace(TOP, elevation_deg=-70.0))
    assert (look.layers[..., 2] == 255).all()
    assert look.layers[80, 80, 3] == 255 and look.layers[80, 80, 0] > 40


def test_clear_plastic_absorbs_and_covers(renderer: Renderer) -> None:
    look = renderer.look(box(16, 16, 10), replace(TOP, elevation_deg=50.0, transparent=True))
    covered = look.layers[..., 3] == 255
    assert covered.mean() > 0.15
    assert (look.layers[covered][:, 0] > 20).all()


def test_the_same_scene_gives_the_same_picture(renderer: Renderer) -> None:
    mesh = box(16, 8, 10)
    poses = resting_poses(mesh)
    first, second = (sample_scene(sample_rng(3, "box", 7), poses) for _ in range(2))
    assert np.array_equal(first.rotation, second.rotation)
    assert replace(first, rotation=TOP.rotation) == replace(second, rotation=TOP.rotation)
    assert np.array_equal(renderer.render(mesh, first), renderer.render(mesh, second))


@pytest.mark.filterwarnings("error")
def test_samples_vary_and_never_break(renderer: Renderer) -> None:
    mesh = box(16, 8, 3)
    poses = resting_poses(mesh)
    scenes = [sample_scene(sample_rng(1, "box", k), poses) for k in range(200)]
    below = np.mean([scene.elevation_deg < 0 for scene in scenes])
    leaning = np.mean([scene.pose < 0 for scene in scenes])
    assert 0.1 < below < 0.3 and 0.1 < leaning < 0.3
    for look in (renderer.look(mesh, scene) for scene in scenes[:20]):
        assert look.layers.shape == (160, 160, 4)
        assert (look.layers[..., 3] > 0).mean() > 0.01

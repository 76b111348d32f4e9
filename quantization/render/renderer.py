"""Render parts in layers with OpenGL, off screen, on whatever EGL offers (a CPU will do)."""

from collections import OrderedDict
from typing import Any, cast

import cv2
import moderngl
import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge.errors import BrickgateError
from quantization.ldraw.mesh import PartMesh
from quantization.memory import keep_freed_memory
from quantization.render import shaders
from quantization.render.compose import encode_layers
from quantization.render.lighting import MAX_DIRECTIONS, LightSet, light_scene
from quantization.render.scene import RenderedLook, Scene
from quantization.render.upload import Uploaded, upload
from quantization.render.view import View, frame_view

TILE_PX = 96
GRID = 5
GROUND_STEP = 2  # shadows on the belt are soft: a quarter of the pixels will do
# A tile's rim stays empty, so that filtered look-ups do not read the neighbour.
INSET = 1 - 4 / TILE_PX
KEPT_MESHES = 160
GROUND_BLUR_PX = 1.5
EDGE_STRENGTH = 0.8
# Colour is mixed by the edge's alpha, coverage grows by it. moderngl's stub knows only pairs.
EDGE_BLENDING = cast(
    Any,
    (moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA, moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA),
)
EDGE_NEARER = 0.004  # clip depth by which edges win over the faces that they bound


class Renderer:
    """Renders one part at a time into pictures of up to `size_px` a side. Not thread-safe.

    Raises:
        BrickgateError: no OpenGL 3.3 context can be had through EGL.
    """

    def __init__(self, size_px: int, samples: int = 4) -> None:
        self.size_px = size_px
        keep_freed_memory()  # ten megabytes a look, which would be cleared anew each time
        try:
            self._gl = moderngl.create_context(require=330, standalone=True, **cast(Any, {"backend": "egl"}))
        except Exception as error:  # moderngl raises bare Exception
            raise BrickgateError(f"no OpenGL through EGL ({error}): install libegl1 and libgl1-mesa-dri") from error
        self._make_targets(samples)
        self._programs = {
            name: self._gl.program(vertex_shader=vertex, fragment_shader=fragment)
            for name, (vertex, fragment) in shaders.PROGRAMS.items()
        }
        for name, unit in (("u_depth", 0), ("u_normals", 1), ("u_positions", 2)):
            self._set(name, unit)
        self._screens = {name: self._gl.vertex_array(self._programs[name], []) for name in ("lit", "ground")}
        self._meshes: OrderedDict[int, Uploaded] = OrderedDict()

    def _make_targets(self, samples: int) -> None:
        gl, square = self._gl, (self.size_px, self.size_px)
        half = -(-self.size_px // GROUND_STEP)
        self._surface = gl.framebuffer(
            [gl.renderbuffer(square, 4, samples=samples, dtype="f2") for _ in range(2)],
            gl.depth_renderbuffer(square, samples=samples),
        )
        resolved = [gl.texture(square, 4, dtype="f2") for _ in range(2)]
        self._resolved = gl.framebuffer(resolved)
        self._lit = gl.framebuffer([gl.renderbuffer(square, 4, dtype="f2")])
        self._ground = gl.framebuffer([gl.renderbuffer((half, half), 1, dtype="f2")])
        atlas = gl.depth_texture((TILE_PX * GRID, TILE_PX * GRID))
        atlas.compare_func = "<="
        atlas.filter = (moderngl.LINEAR, moderngl.LINEAR)
        self._shadows = gl.framebuffer(depth_attachment=atlas)
        for unit, texture in enumerate((atlas, *resolved)):
            texture.use(unit)

    def render(self, mesh: PartMesh, scene: Scene) -> NDArray[np.uint8]:
        """Return the (H, W, 4) layers of one look."""
        return self.look(mesh, scene).layers

    def look(self, mesh: PartMesh, scene: Scene) -> RenderedLook:
        """Render one look with what is known about it.

        Raises:
            BrickgateError: the scene cannot be framed, see `frame_view`.
        """
        view, lights = frame_view(mesh.vertices_mm, scene, self.size_px), light_scene(scene)
        self._set_uniforms(view, lights, scene)
        above = scene.elevation_deg >= 0
        uploaded = self._upload(mesh)
        if above or not scene.transparent:
            self._draw_shadows(uploaded, len(lights.weights))
        raw = self._draw_clear(uploaded, view) if scene.transparent else self._draw_solid(uploaded, view, scene)
        raw[..., 2] = self._draw_ground(view) if above else 1.0
        return RenderedLook(
            layers=encode_layers(raw),
            box_px=view.box_px,
            mm_per_px=view.mm_per_px,
            anchor_px=view.anchor_px,
            pose=scene.pose,
            elevation_deg=scene.elevation_deg,
            azimuth_deg=scene.azimuth_deg,
            transparent=scene.transparent,
        )

    def close(self) -> None:
        """Give the context back."""
        for uploaded in self._meshes.values():
            uploaded.release()
        self._meshes.clear()
        self._gl.release()

    def _upload(self, mesh: PartMesh) -> Uploaded:
        kept = self._meshes.get(id(mesh))
        if kept is not None:
            self._meshes.move_to_end(id(mesh))
            return kept
        uploaded = upload(self._gl, self._programs, mesh)
        self._meshes[id(mesh)] = uploaded
        if len(self._meshes) > KEPT_MESHES:
            self._meshes.popitem(last=False)[1].release()
        return uploaded

    def _set_uniforms(self, view: View, lights: LightSet, scene: Scene) -> None:
        count = len(lights.weights)
        axes = np.zeros((MAX_DIRECTIONS * 3, 3))
        axes[: count * 3] = lights.axes.reshape(-1, 3)
        weights = np.zeros(MAX_DIRECTIONS)
        weights[:count] = lights.weights
        world = lights.surroundings
        inverse = view.camera[:, :3].T @ np.linalg.inv(
            np.array([[view.focal_px, 0, view.centre_px[0]], [0, view.focal_px, view.centre_px[1]], [0, 0, 1]])
        )
        values = {
            "u_place": view.place,  # row-major 3×4 = GLSL's mat3x4 by columns
            "u_clip": view.clip_from_world().T,
            "u_sphere": [*view.middle_mm, view.radius_mm * 1.01],
            "u_grid": GRID,
            "u_inset": INSET,
            "u_count": count,
            "u_key_slot": lights.key_slot,
            "u_texel_mm": 2 * view.radius_mm / TILE_PX,
            "u_axes": axes,
            "u_weights": weights,
            "u_eye": view.eye_mm,
            "u_keys": lights.keys,
            "u_levels": world.levels,
            "u_up": world.up,
            "u_boxes": world.boxes.reshape(-1, 3),
            "u_box_sizes": world.box_sizes,
            "u_roughness": scene.roughness,
            "u_ray": inverse.T,
            "u_step": float(GROUND_STEP),
            "u_reach_mm": view.radius_mm * 5,
        }
        for name, value in values.items():
            self._set(name, value)

    def _set(self, name: str, value: ArrayLike) -> None:
        """Set a uniform in every program that has it."""
        kind = np.int32 if isinstance(value, int) else np.float32
        data = np.asarray(value, dtype=kind).tobytes()
        for program in self._programs.values():
            member = program.get(name, None)
            if isinstance(member, moderngl.Uniform):
                # A compiler cuts off the end of an array that a shader does not read.
                member.write(data[: member.array_length * member.dimension * 4])

    def _draw_shadows(self, uploaded: Uploaded, count: int) -> None:
        self._shadows.use()
        self._shadows.clear(depth=1.0)
        self._gl.enable_only(moderngl.DEPTH_TEST | moderngl.CULL_FACE)
        uploaded.arrays["shadow"].render(instances=count)

    def _draw_solid(self, uploaded: Uploaded, view: View, scene: Scene) -> NDArray[np.float32]:
        gl = self._gl
        self._begin(self._surface, view)
        gl.enable_only(moderngl.DEPTH_TEST)
        self._set("u_nearer", 0.0)
        self._set("u_alpha", 1.0)
        uploaded.arrays["surface"].render()
        if "surface edges" in uploaded.arrays and scene.edge_wear > 0:
            gl.enable(moderngl.BLEND)
            gl.blend_func = EDGE_BLENDING
            self._set("u_nearer", EDGE_NEARER)
            self._set("u_alpha", scene.edge_wear * EDGE_STRENGTH)
            uploaded.arrays["surface edges"].render(moderngl.LINES)
        gl.copy_framebuffer(self._resolved, self._surface)
        self._begin(self._lit, view)
        gl.enable_only(moderngl.NOTHING)
        x0, y0, x1, y1 = (round(edge) for edge in view.box_px)
        self._lit.scissor = (max(x0 - 2, 0), max(y0 - 2, 0), x1 - x0 + 5, y1 - y0 + 5)
        self._screens["lit"].render(vertices=3)
        self._lit.scissor = cast(Any, None)  # moderngl's stub forgets that None lifts it
        return _read(self._lit, view.size_px, 4)

    def _draw_clear(self, uploaded: Uploaded, view: View) -> NDArray[np.float32]:
        gl = self._gl
        self._begin(self._surface, view)
        gl.enable_only(moderngl.BLEND)
        gl.blend_func = moderngl.ONE, moderngl.ONE
        gl.blend_equation = moderngl.FUNC_ADD, moderngl.MAX
        self._set("u_nearer", 0.0)
        self._set("u_line", 0.0)
        uploaded.arrays["clear"].render()
        if "clear edges" in uploaded.arrays:
            self._set("u_line", 0.5)
            uploaded.arrays["clear edges"].render(moderngl.LINES)
        gl.blend_equation = moderngl.FUNC_ADD, moderngl.FUNC_ADD
        gl.copy_framebuffer(self._resolved, self._surface)
        return _read(self._resolved, view.size_px, 4)

    def _draw_ground(self, view: View) -> NDArray[np.float32]:
        """Return the (H, W) share of light that reaches the belt."""
        width, height = (-(-side // GROUND_STEP) for side in view.size_px)
        self._ground.use()
        self._ground.viewport = (0, 0, width, height)
        self._gl.enable_only(moderngl.NOTHING)
        self._screens["ground"].render(vertices=3)
        small = _read(self._ground, (width, height), 1)[..., 0]
        # Single directions would show as stripes.
        small = cv2.GaussianBlur(small, (0, 0), GROUND_BLUR_PX, borderType=cv2.BORDER_REPLICATE)
        whole = (width * GROUND_STEP, height * GROUND_STEP)
        large = cv2.resize(small, whole, interpolation=cv2.INTER_LINEAR)
        return np.asarray(large, np.float32)[: view.size_px[1], : view.size_px[0]]

    def _begin(self, target: moderngl.Framebuffer, view: View) -> None:
        target.use()
        target.clear(0.0, 0.0, 0.0, 0.0)
        target.viewport = (0, 0, *view.size_px)


def _read(target: moderngl.Framebuffer, size_px: tuple[int, int], components: int) -> NDArray[np.float32]:
    width, height = size_px
    data = target.read((0, 0, width, height), components=components, dtype="f2", alignment=1)
    half = np.frombuffer(data, dtype=np.float16).reshape(height, width, components)
    return half.astype(np.float32)

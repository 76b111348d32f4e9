"""The camera's geometry: from a scene and a part's points to a projection, with exact framing.

Camera axes are x right, y down, z ahead; a pixel (u, v) covers [u, u+1] × [v, v+1].
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.errors import BrickgateError
from quantization.render.scene import Fill, Scale, Scene

CLEAR_MM = 2.0
"""Between the camera and the sphere round the part, at least."""
FAR_RADII = 2.0

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class View:
    """A pinhole camera whose picture is cut out round the part.

    Attributes:
        place: (3, 4) part → world in mm: rotation, then the shift that sets the part on the belt plane.
        camera: (3, 4) world → camera.
        eye_mm: (3,) the camera's place in the world.
        middle_mm, radius_mm: a sphere round the placed part.
        focal_px: focal length.
        centre_px: where the optical axis meets the picture (often outside it: a crop).
        size_px: width, height.
        box_px, anchor_px, mm_per_px: as in `RenderedLook`.
    """

    place: Doubles
    camera: Doubles
    eye_mm: Doubles
    middle_mm: Doubles
    radius_mm: float
    focal_px: float
    centre_px: tuple[float, float]
    size_px: tuple[int, int]
    box_px: tuple[float, float, float, float]
    anchor_px: tuple[float, float]
    mm_per_px: float

    def clip_from_world(self) -> Doubles:
        """Return the (4, 4) matrix to OpenGL clip space; the picture's first row is GL's lowest."""
        width, height = self.size_px
        depth = float(self.camera[2, :3] @ self.middle_mm + self.camera[2, 3])
        near, far = max(depth - self.radius_mm - 1.0, 1.0), depth + self.radius_mm + 1.0
        lens = np.array(
            [
                [2 * self.focal_px / width, 0, 2 * self.centre_px[0] / width - 1, 0],
                [0, 2 * self.focal_px / height, 2 * self.centre_px[1] / height - 1, 0],
                [0, 0, (far + near) / (far - near), -2 * far * near / (far - near)],
                [0, 0, 1, 0],
            ]
        )
        return lens @ np.vstack([self.camera, [0, 0, 0, 1]])


def camera_axes(elevation_deg: float, azimuth_deg: float, roll_deg: float) -> Doubles:
    """Return (3, 3), rows right, down and ahead in the world, of a camera that looks at the origin."""
    e, a, r = (math.radians(angle) for angle in (elevation_deg, azimuth_deg, roll_deg))
    ahead = -np.array([math.cos(e) * math.cos(a), math.cos(e) * math.sin(a), math.sin(e)])
    right = np.array([-math.sin(a), math.cos(a), 0.0])
    down = np.cross(ahead, right)
    rolled = math.cos(r) * right + math.sin(r) * down
    return np.stack([rolled, np.cross(ahead, rolled), ahead])


def frame_view(vertices_mm: NDArray[np.float32], scene: Scene, size_px: int) -> View:
    """Place the part on the belt plane, aim the camera at its middle and cut the picture out.

    Args:
        vertices_mm: (N, 3) of the part.
        scene: pose, camera and framing.
        size_px: side of the picture for `Fill`, greatest side for `Scale`.

    Raises:
        BrickgateError: the camera is inside the part, or a sprite is larger than `size_px`.
    """
    points, shift, middle, radius = _placed(vertices_mm, scene)
    if scene.distance_mm < radius + CLEAR_MM:
        raise BrickgateError(f"camera at {scene.distance_mm:.0f} mm is inside a part of radius {radius:.0f} mm")
    axes = camera_axes(scene.elevation_deg, scene.azimuth_deg, scene.roll_deg)
    eye = middle - axes[2] * scene.distance_mm
    camera = np.column_stack([axes, -axes @ eye])
    seen = points @ axes.T + camera[:, 3]
    rays = seen[:, :2] / seen[:, 2:]
    anchor = camera[:, 3]  # the world's origin lies on the belt plane, under the part's middle
    focal, centre, size = _cut_out(rays.min(axis=0), rays.max(axis=0), float(anchor[2]), scene.framing, size_px)
    x0, y0 = rays.min(axis=0) * focal + centre
    x1, y1 = rays.max(axis=0) * focal + centre
    au, av = anchor[:2] / anchor[2] * focal + centre
    return View(
        place=np.column_stack([scene.rotation.astype(np.float64), shift]),
        camera=camera,
        eye_mm=eye,
        middle_mm=middle,
        radius_mm=radius,
        focal_px=focal,
        centre_px=(float(centre[0]), float(centre[1])),
        size_px=size,
        box_px=(float(x0), float(y0), float(x1), float(y1)),
        anchor_px=(float(au), float(av)),
        mm_per_px=float(anchor[2]) / focal,
    )


def outside(scene: Scene, vertices_mm: NDArray[np.float32]) -> Scene:
    """The scene; where its camera would stand within a large part, with the camera `FAR_RADII` away."""
    *_, radius = _placed(vertices_mm, scene)
    return scene if scene.distance_mm >= radius + CLEAR_MM else replace(scene, distance_mm=FAR_RADII * radius)


def _placed(vertices_mm: NDArray[np.float32], scene: Scene) -> tuple[Doubles, Doubles, Doubles, float]:
    """(N, 3) points of the part on the belt plane, the shift that set them there, and the sphere round them."""
    points = vertices_mm.astype(np.float64) @ scene.rotation.T.astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    shift = np.array([-(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, -low[2]])
    points += shift
    middle = np.array([0.0, 0.0, (high[2] - low[2]) / 2])
    return points, shift, middle, float(np.sqrt(((points - middle) ** 2).sum(axis=1).max()))


def _cut_out(
    low: Doubles, high: Doubles, anchor_depth_mm: float, framing: Fill | Scale, size_px: int
) -> tuple[float, Doubles, tuple[int, int]]:
    """Return focal length, optical centre and size of the picture for a part that spans rays low..high."""
    if isinstance(framing, Fill):
        focal = framing.fill * size_px / float((high - low).max())
        middle = size_px * (0.5 + np.array(framing.offset))
        return focal, middle - (low + high) / 2 * focal, (size_px, size_px)
    focal = anchor_depth_mm / framing.mm_per_px
    corner = np.floor(low * focal) - framing.margin_px
    width, height = (np.ceil(high * focal) + framing.margin_px - corner).astype(int)
    if max(width, height) > size_px:
        raise BrickgateError(f"sprite of {width}x{height} px is larger than the renderer's {size_px} px")
    return focal, -corner, (int(width), int(height))

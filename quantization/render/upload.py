"""Meshes on the OpenGL device."""

from dataclasses import dataclass

import moderngl
import numpy as np

from quantization.ldraw.mesh import PartMesh


@dataclass(frozen=True, eq=False)
class Uploaded:
    """A mesh on the device, with a vertex array for each use of it."""

    mesh: PartMesh  # held so that its id, by which it is looked up, stays its own
    buffers: tuple[moderngl.Buffer, ...]
    arrays: dict[str, moderngl.VertexArray]

    def release(self) -> None:
        """Free the device's memory."""
        for item in (*self.arrays.values(), *self.buffers):
            item.release()


def upload(gl: moderngl.Context, programs: dict[str, moderngl.Program], mesh: PartMesh) -> Uploaded:
    """Put faces and edges on the device."""
    whole = ("3f 3f 1f", "in_position", "in_normal", "in_shade")
    bare = ("3f 3f 4x", "in_position", "in_normal")
    vertices = np.column_stack([mesh.vertices_mm, mesh.normals, mesh.shade]).astype(np.float32)
    points, indices = gl.buffer(vertices.tobytes()), gl.buffer(mesh.triangles.astype(np.int32).tobytes())
    arrays = {
        "shadow": gl.vertex_array(programs["shadow"], [(points, "3f 16x", "in_position")], indices),
        "surface": gl.vertex_array(programs["surface"], [(points, *whole)], indices),
        "clear": gl.vertex_array(programs["clear"], [(points, *bare)], indices),
    }
    ends = mesh.edges_mm.reshape(-1, 3)
    if len(ends) == 0:
        return Uploaded(mesh, (points, indices), arrays)
    lines = np.column_stack([ends, np.repeat(mesh.edge_normals, 2, axis=0), np.ones(len(ends))])
    buffer = gl.buffer(lines.astype(np.float32).tobytes())
    arrays["surface edges"] = gl.vertex_array(programs["surface"], [(buffer, *whole)])
    arrays["clear edges"] = gl.vertex_array(programs["clear"], [(buffer, *bare)])
    return Uploaded(mesh, (points, indices, buffer), arrays)

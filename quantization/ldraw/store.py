"""Meshes and poses of parts, kept as one small file a part."""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import QhullError

from edge.errors import BrickgateError
from quantization.ldraw.library import Library, default_library
from quantization.ldraw.mesh import PartMesh, build_mesh, ldu_to_mm, open_edges_mm
from quantization.ldraw.parse import Parser
from quantization.ldraw.poses import RestingPoses, resting_poses
from quantization.ldraw.recess import recess_places

FORMAT = 3
NORMAL_STEPS = 32767
SEAM_SLACK_MM = 3.0
SEAM_SLACK_SHARE = 0.02


@dataclass(frozen=True, eq=False)
class Part:
    """A part ready to be rendered.

    Attributes:
        mesh: as LDraw has it.
        recesses_mm: (R, 2, 3) points on the underside's ceiling and directions out of it.
        poses: how it rests.
        files: names of the LDraw files that it was built from; none where it is read from a cache.
        fingerprint: of those files.
    """

    mesh: PartMesh
    recesses_mm: NDArray[np.float64]
    poses: RestingPoses
    files: frozenset[str] = frozenset()
    fingerprint: str = ""


_parsers: dict[tuple[Path, bool], Parser] = {}


def build_part(part: str, library: Library | None = None) -> Part:
    """Build a part from the LDraw library.

    Raises:
        BrickgateError: the part, or a file it places, is missing or malformed, or the part does not mesh.
    """
    library = library or default_library()
    fine, plain = (_parsers.setdefault((library.folder, it), Parser(library, it)) for it in (True, False))
    mesh, coarse = build_mesh(part, fine), build_mesh(part, plain)
    # Where finer primitives leave gaps to hand-drawn arcs that could not be closed, the part stays coarse.
    drawn_mm = open_edges_mm(coarse)
    if open_edges_mm(mesh) > drawn_mm + max(SEAM_SLACK_MM, SEAM_SLACK_SHARE * drawn_mm):
        mesh = coarse
    studs = plain.flatten(f"{part}.dat").studs_ldu
    try:
        poses = resting_poses(mesh)
    except (QhullError, ValueError) as error:
        raise BrickgateError(f"LDraw part {part} has no volume, so it cannot lie on a belt") from error
    files = fine.files_of(f"{part}.dat") | plain.files_of(f"{part}.dat")
    return Part(mesh, recess_places(mesh, ldu_to_mm(studs)), poses, files, library.fingerprint(files))


def is_outdated(part: str, cache_dir: Path, library: Library | None = None) -> bool:
    """Tell whether a part is kept that LDraw draws otherwise by now. One that does not say what it was built from, or
    that the library at hand does not have, is taken as it is."""
    try:
        with np.load(cache_dir / f"{part}.npz") as kept:
            files, fingerprint = str(kept["files"]).split("\n"), str(kept["fingerprint"])
        library = library or default_library()
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, BrickgateError):
        return False
    return library.find(f"{part}.dat") is not None and library.fingerprint(files) != fingerprint


def keep_part(part: str, cache_dir: Path, library: Library | None = None) -> None:
    """Build a part and keep it, in place of what is kept of it.

    Raises:
        BrickgateError: as in `build_part`.
    """
    _write(build_part(part, library), cache_dir / f"{part}.npz")


def load_part(part: str, cache_dir: Path, library: Library | None = None) -> Part:
    """Return a part from the cache folder, building and keeping it first where it is missing or broken. One that LDraw
    draws otherwise by now is returned as it was rendered: `is_outdated` tells.

    It is read back even then: what is kept is rounded, and a render must not depend on who built the mesh.
    """
    path = cache_dir / f"{part}.npz"
    kept = _read(part, path)
    if kept is not None:
        return kept
    keep_part(part, cache_dir, library)
    kept = _read(part, path)
    if kept is None:
        raise BrickgateError(f"{path} cannot be read back: run the same command again")
    return kept


def _write(part: Part, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}-{os.getpid()}.npz")
    mesh = part.mesh
    np.savez_compressed(
        temporary,
        format=FORMAT,
        vertices_mm=mesh.vertices_mm,
        normals=np.round(mesh.normals * NORMAL_STEPS).astype(np.int16),
        triangles=mesh.triangles.astype(np.uint16 if len(mesh.vertices_mm) < 65536 else np.int32),
        edges_mm=mesh.edges_mm,
        edge_normals=np.round(mesh.edge_normals * NORMAL_STEPS).astype(np.int16),
        recesses_mm=part.recesses_mm,
        rotations=part.poses.rotations,
        probabilities=part.poses.probabilities,
        files="\n".join(sorted(part.files)),
        fingerprint=part.fingerprint,
    )
    temporary.replace(path)


def _read(part: str, path: Path) -> Part | None:
    """Return a kept part, or None where there is none of today's format."""
    try:
        with np.load(path) as kept:
            if int(kept["format"]) != FORMAT:
                return None
            vertices = kept["vertices_mm"]
            mesh = PartMesh(
                part,
                vertices,
                kept["normals"].astype(np.float32) / NORMAL_STEPS,
                kept["triangles"].astype(np.int32),
                np.ones(len(vertices), np.float32),
                kept["edges_mm"],
                kept["edge_normals"].astype(np.float32) / NORMAL_STEPS,
            )
            poses = RestingPoses(kept["rotations"], kept["probabilities"])
            return Part(mesh, kept["recesses_mm"], poses)
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None

"""The parser and the meshes, on small hand-made libraries."""

from pathlib import Path

import numpy as np
import pytest

from edge.errors import BrickgateError
from quantization.ldraw.library import Library, library_dir
from quantization.ldraw.mesh import build_mesh
from quantization.ldraw.parse import Parser
from quantization.ldraw.store import build_part, is_outdated, load_part

CUBE = """0 Unit cube
0 BFC CERTIFY CCW
4 16 1 -1 -1 1 -1 1 -1 -1 1 -1 -1 -1
4 16 -1 1 1 1 1 1 1 1 -1 -1 1 -1
4 16 -1 1 -1 1 1 -1 1 -1 -1 -1 -1 -1
4 16 1 1 1 -1 1 1 -1 -1 1 1 -1 1
4 16 -1 1 1 -1 1 -1 -1 -1 -1 -1 -1 1
4 16 1 1 -1 1 1 1 1 -1 1 1 -1 -1
"""
PLACE = "1 16 0 0 0 {x} 0 0 0 10 0 0 0 10 cube.dat\n"


def write_library(folder: Path, **files: str) -> Library:
    (folder / "parts").mkdir()
    (folder / "p").mkdir()
    (folder / "p" / "cube.dat").write_text(CUBE)
    for name, text in files.items():
        (folder / "parts" / f"{name}.dat").write_text(text)
    return Library(folder)


def signed_volume_mm3(library: Library, part: str) -> float:
    mesh = build_mesh(part, Parser(library))
    a, b, c = np.moveaxis(mesh.vertices_mm[mesh.triangles].astype(np.float64), 1, 0)
    return float((a * np.cross(b, c)).sum() / 6)


@pytest.mark.parametrize(
    ("body", "sign"),
    [
        (PLACE.format(x=10), 1),
        (PLACE.format(x=-10), 1),  # a mirror must not turn the part inside out
        ("0 BFC INVERTNEXT\n" + PLACE.format(x=10), -1),
        ("0 BFC INVERTNEXT\n" + PLACE.format(x=-10), -1),
    ],
)
def test_winding_survives_mirrors_and_invertnext(tmp_path: Path, body: str, sign: int) -> None:
    library = write_library(tmp_path, box="0 Box\n0 BFC CERTIFY CCW\n" + body)
    assert signed_volume_mm3(library, "box") == pytest.approx(sign * 8.0**3, rel=1e-5)


def test_invertnext_counts_for_one_line_only(tmp_path: Path) -> None:
    body = "0 BFC INVERTNEXT\n" + PLACE.format(x=10) + PLACE.format(x=10)
    library = write_library(tmp_path, box="0 Box\n0 BFC CERTIFY CCW\n" + body)
    triangles = Parser(library).flatten("box.dat").triangles_ldu
    volumes = (triangles[:, 0] * np.cross(triangles[:, 1], triangles[:, 2])).sum(axis=1)
    assert volumes[:12].sum() == pytest.approx(-volumes[12:].sum())


def test_clockwise_files_are_turned_over(tmp_path: Path) -> None:
    library = write_library(tmp_path, box=CUBE.replace("CCW", "CW"))
    assert signed_volume_mm3(library, "box") == pytest.approx(-(0.8**3), rel=1e-5)


def test_a_cube_is_welded_and_split_at_its_creases(tmp_path: Path) -> None:
    mesh = build_mesh("box", Parser(write_library(tmp_path, box="0 Box\n" + PLACE.format(x=10))))
    assert len(mesh.vertices_mm) == 24
    assert len(mesh.edges_mm) == 12
    corners = mesh.vertices_mm[mesh.triangles]
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    face /= np.linalg.norm(face, axis=1, keepdims=True)
    assert np.allclose(mesh.normals[mesh.triangles], face[:, None], atol=1e-5)
    # LDraw's y points down; ours points up.
    assert np.allclose(mesh.vertices_mm.min(axis=0), -4) and np.allclose(mesh.vertices_mm.max(axis=0), 4)


def test_moved_parts_are_followed(tmp_path: Path) -> None:
    library = write_library(
        tmp_path,
        old="0 ~Moved to new\n1 16 0 0 0 1 0 0 0 1 0 0 0 1 new.dat\n",
        new="0 Brick  1 x  1\n0 !CATEGORY Brick\n0 !KEYWORDS small, square\n\n" + PLACE.format(x=10),
    )
    assert signed_volume_mm3(library, "old") == pytest.approx(8.0**3, rel=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 Part\n1 16 0 0 0 1 0 0 0 1 0 0 0 1 gone.dat\n", "gone.dat is not in"),
        ("0 Part\n1 16 0 0 0 1 0 0 0 1 0 0 0 1 it.dat\n", "places itself"),
        ("0 Part\n3 16 0 0 0 1 0 x 0 1 0\n", "line 2 is malformed"),
        ("0 Part\n3 16 0 0 0 1 0 0 0\n", "line 2 is malformed"),
        ("0 Part\n3 16 0 0 0 1 0 nan 0 1 0\n", "line 2 is malformed"),
        ("0 Part\n1 16 0 0 0 1 0 0 0 1 0\n", "it.dat, line 2 is malformed"),
        ("0 Part\n1 16 0 0\n", "it.dat, line 2 is malformed"),
        ("0 Part\n3 16 0 0 0 10 0 0 20 0 0\n", "LDraw part it has no face with an area"),
        ("0 Part\n", "has no faces"),
    ],
)
def test_broken_files_are_named_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    library = write_library(tmp_path, it=text)
    with pytest.raises(BrickgateError, match=message) as caught:
        build_mesh("it", Parser(library))
    assert "\n" not in str(caught.value)


def test_a_part_without_a_volume_is_named(tmp_path: Path) -> None:
    library = write_library(tmp_path, flat="0 Flat\n3 16 0 0 0 10 0 0 0 0 10\n")
    with pytest.raises(BrickgateError, match="LDraw part flat has no volume, so it cannot lie on a belt"):
        build_part("flat", library)


def test_a_missing_library_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LDRAWDIR", str(tmp_path))
    with pytest.raises(BrickgateError, match=r"install\.sh --model"):
        library_dir()


def test_poses_of_a_cuboid_and_its_cache(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    library = write_library(tmp_path / "library", slab="0 Slab\n" + PLACE.format(x=30))
    built = build_part("slab", library)
    assert built.poses.probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert len(built.poses.probabilities) <= 8
    # The likeliest pose lies on a long face: 8 mm high.
    high = built.mesh.vertices_mm @ built.poses.rotations[0].T
    assert np.ptp(high[:, 2]) == pytest.approx(8, abs=1e-3)
    first = load_part("slab", tmp_path / "cache", library)
    kept = load_part("slab", tmp_path / "cache", library)
    assert np.array_equal(first.mesh.triangles, kept.mesh.triangles)
    assert np.allclose(first.mesh.normals, kept.mesh.normals, atol=1e-4)
    (tmp_path / "cache" / "slab.npz").write_bytes(b"not a zip")
    assert np.array_equal(load_part("slab", tmp_path / "cache", library).mesh.triangles, kept.mesh.triangles)


@pytest.mark.parametrize(("changed", "outdated"), [("slab", True), ("48/edge", True), ("other", False)])
def test_a_kept_part_is_outdated_when_a_file_that_it_is_made_of_changes(tmp_path, changed, outdated) -> None:
    """A finer twin that a newer library brings is such a file, too."""
    body = "0 Slab\n" + PLACE.format(x=30) + "1 16 0 0 0 1 0 0 0 1 0 0 0 1 edge.dat\n"
    write_library(tmp_path, slab=body, edge="0 Edge\n", other="0 Other\n")
    (tmp_path / "p" / "48").mkdir()
    cache = tmp_path / "cache"
    assert not is_outdated("slab", cache, Library(tmp_path)), "there is none"
    load_part("slab", cache, Library(tmp_path))
    assert not is_outdated("slab", cache, Library(tmp_path))
    folder = "p" if "/" in changed else "parts"
    (tmp_path / folder / f"{changed}.dat").write_text("0 Anew\n")
    assert is_outdated("slab", cache, Library(tmp_path)) == outdated
    (tmp_path / "parts" / "slab.dat").unlink()
    assert not is_outdated("slab", cache, Library(tmp_path)), "of a library without it nothing can be built"


def test_real_parts() -> None:
    try:
        library_dir()
    except BrickgateError as error:
        pytest.skip(str(error))
    plate = build_part("3022")
    assert len(plate.recesses_mm) == 4
    assert np.allclose(plate.recesses_mm[:, 0, 2], -1.6, atol=0.05)
    assert np.ptp(plate.mesh.vertices_mm, axis=0) == pytest.approx([16, 16, 4.8], abs=0.01)

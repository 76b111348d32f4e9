"""A model bundle: a folder with `manifest.json` and the files it lists, each with its SHA-256.

The factory (`quantization`) writes bundles, the machine loads them. Nothing of a bundle is used before its hashes are
checked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.bundle.preprocess import InputSpec
from edge.bundle.unknown import FamiliarityTable
from edge.catalogue.prior import COMMON, UNIFORM
from edge.errors import BundleError

FORMAT = 1
LONGEST_MM = 10_000.0
"""No part is longer."""
MANIFEST = "manifest.json"
NETWORK_DIGITS = 12
MODELS = Path(__file__).parent.parent / "models"


@dataclass(frozen=True, slots=True)
class BundlePart:
    """One class of the network, in the order of its outputs."""

    number: str
    name: str
    category: str
    moulds: tuple[str, ...] = ()
    """Other numbers of the same family: LDraw moulds and catalogue aliases."""
    length_mm: float = 0.0
    width_mm: float = 0.0
    height_mm: float = 0.0


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checked bundle. `fusion_exponent` tempers the product of looks, `unsure_below` is the posterior under which
    `classify` says unsure; both were fitted on synthetic looks."""

    folder: Path
    name: str
    model: Path
    input: InputSpec
    parts: tuple[BundlePart, ...]
    temperature: float
    fusion_exponent: float
    unsure_below: float
    size_evidence: Path | None
    accelerators: tuple[str, ...]
    models: dict[str, Path] = field(default_factory=dict)
    """The file that each accelerator runs, where it is not `model`."""
    accuracy: dict[str, float] = field(default_factory=dict)
    prior: str = UNIFORM
    """How common its parts are taken to be unless the machine is told otherwise: a name that `read_prior` knows."""
    reference: Path | None = None
    """Parts of known kind as it saw them: `edge.bundle.reference`."""
    network: str = ""
    """Its model file's SHA-256, the first digits: a bundle of the same name that was trained on has others. The word
    before them keeps YAML from taking such as 380282e45475 for a number."""
    familiarity: FamiliarityTable | None = None
    """From when on a part counts as one that it was never taught; None: it was not fitted."""

    def model_for(self, accelerator: str) -> Path:
        """The file that an accelerator runs.

        Raises:
            BundleError: the bundle does not serve it.
        """
        if accelerator not in self.accelerators:
            raise BundleError(
                f"bundle {self.name} serves {', '.join(self.accelerators)}, not {accelerator}: set accelerator.driver"
                f" to what it serves, or run 'brickgate-model export' where the compiler for {accelerator} is installed"
            )
        return self.models.get(accelerator, self.model)


def find_bundle(name_or_folder: str | Path) -> Path:
    """The folder of a shipped bundle's name or of a path."""
    folder = Path(name_or_folder)
    if folder.is_dir():
        return folder
    shipped = MODELS / str(name_or_folder)
    if shipped.is_dir():
        return shipped
    names = ", ".join(sorted(p.parent.name for p in MODELS.glob(f"*/{MANIFEST}"))) or "none"
    raise BundleError(f"no model bundle at {name_or_folder}: give a bundle's folder or a shipped name ({names})")


def load_bundle(name_or_folder: str | Path) -> Bundle:
    """Reads and checks a bundle.

    Raises:
        BundleError: nothing there, a damaged manifest, a missing or altered file, an input that cannot be served.
    """
    folder = find_bundle(name_or_folder)
    manifest = _read_manifest(folder)
    _check_files(folder, manifest)
    try:
        return _bundle(folder, manifest)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise BundleError(
            f"{folder / MANIFEST}: entry {error} is missing or wrong: make or fetch the bundle again"
        ) from error


def sha256(file: Path) -> str:
    """Hex digest of a file's bytes."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError(f"{path} is missing: this folder is no model bundle") from error
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{path} cannot be read ({error}): make or fetch the bundle again") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BundleError(f"{path} is not a bundle of format {FORMAT}: update Brickgate or the bundle")
    return manifest


def _check_files(folder: Path, manifest: dict[str, Any]) -> None:
    files = manifest.get("files")
    if not isinstance(files, dict) or not files:
        raise BundleError(f"{folder / MANIFEST} lists no files: make or fetch the bundle again")
    for name, expected in files.items():
        file = folder / name
        if not file.resolve().is_relative_to(folder.resolve()):
            raise BundleError(f"{folder / MANIFEST} lists {name}, outside the bundle: do not trust this bundle")
        if not file.is_file():
            raise BundleError(f"{file} is missing: make or fetch the bundle again")
        if sha256(file) != expected:
            raise BundleError(
                f"{file} was altered or cut short (its SHA-256 differs from the manifest): fetch the bundle again"
            )


def _bundle(folder: Path, manifest: dict[str, Any]) -> Bundle:
    listed = manifest["files"]

    def checked(name: str) -> Path:
        if name not in listed:
            raise KeyError(f"files[{name}]")
        return folder / name

    size, reference = manifest.get("size_evidence"), manifest.get("reference")
    model = checked(manifest["model"])
    accelerators = tuple(manifest["accelerators"])
    files = manifest.get("models", dict.fromkeys(accelerators, model.name))
    parts = json.loads(checked(manifest["parts"]).read_text(encoding="utf-8"))
    return Bundle(
        folder=folder,
        name=manifest["name"],
        model=model,
        input=_input(manifest["input"]),
        parts=_parts(parts),
        temperature=_number(manifest, "temperature", 0.01, 100),
        fusion_exponent=_number(manifest, "fusion_exponent", 0, 1),
        unsure_below=_number(manifest, "unsure_below", 0, 1),
        size_evidence=checked(size) if size else None,
        accelerators=accelerators,
        models={accelerator: checked(files[accelerator]) for accelerator in accelerators},
        accuracy=dict(manifest.get("accuracy", {})),
        prior=_prior(manifest),
        reference=checked(reference) if reference else None,
        network=f"sha256:{str(listed[manifest['model']])[:NETWORK_DIGITS]}",
        familiarity=_familiarity(manifest),
    )


def _parts(entries: list[dict[str, Any]]) -> tuple[BundlePart, ...]:
    parts = tuple(BundlePart(**{**entry, "moulds": tuple(entry.get("moulds", ()))}) for entry in entries)
    numbers: set[str] = set()
    for part in parts:
        texts = (part.number, part.name, part.category, *part.moulds)
        if not all(isinstance(text, str) for text in texts) or not part.number.strip():
            raise ValueError(f"part {part.number!r} with a number, name, category or mould that is no text")
        sides_mm = (part.length_mm, part.width_mm, part.height_mm)
        if not all(isinstance(side, int | float) and 0 <= side <= LONGEST_MM for side in sides_mm):
            raise ValueError(f"part {part.number} of {' × '.join(map(str, sides_mm))} mm")
        if part.number in numbers:
            raise ValueError(f"part {part.number}, which comes twice,")
        numbers.add(part.number)
    return parts


def _input(entry: dict[str, Any]) -> InputSpec:
    scale = entry.get("mm_per_px")
    return InputSpec(
        height_px=int(entry["height_px"]),
        width_px=int(entry["width_px"]),
        margin=_number(entry, "margin", -0.45, 10),
        mm_per_px=None if scale is None else _number(entry, "mm_per_px", 1e-4, 100),
    )


def _prior(manifest: dict[str, Any]) -> str:
    name = manifest.get("prior", UNIFORM)
    if name not in {UNIFORM, COMMON}:
        raise ValueError(f"prior = {name!r} (allowed: {UNIFORM}, {COMMON})")
    return str(name)


def _familiarity(manifest: dict[str, Any]) -> FamiliarityTable | None:
    """The first bundles had one threshold for any number of looks, which 5 % of the looks at known parts miss."""
    entry = manifest.get("unknown")
    if entry is None:
        return None
    if "shares" not in entry:
        return FamiliarityTable(entry["score"], (1,), (0.05,), ((float(entry["threshold"]),),))
    return FamiliarityTable(
        score=entry["score"],
        looks=tuple(int(count) for count in entry["looks"]),
        shares=tuple(float(share) for share in entry["shares"]),
        least=_rows(entry["least"]),
        size_weight=float(entry.get("size_weight", 0.0)),
        least_with_size=_rows(entry.get("least_with_size", ())),
    )


def _rows(table: Iterable[Iterable[float]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(value) for value in row) for row in table)


def _number(manifest: dict[str, Any], name: str, least: float, most: float) -> float:
    value = float(manifest[name])
    if not least <= value <= most:
        raise ValueError(f"{name} = {value} (allowed: {least} to {most})")
    return value


def write_manifest(folder: Path, manifest: dict[str, Any], files: list[str]) -> None:
    """Writes `manifest.json` with the hashes of `files` (names inside `folder`)."""
    complete = {"format": FORMAT, **manifest, "files": {name: sha256(folder / name) for name in sorted(files)}}
    (folder / MANIFEST).write_text(json.dumps(complete, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

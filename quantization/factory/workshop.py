"""Where a model is made: the recipe, its classes, and the folder for everything on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import InputError
from quantization.recipe import Family, Recipe, load_families


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where a model is made: the recipe, its classes, and the folder for everything on the way."""

    recipe: Recipe
    families: list[Family]
    folder: Path
    report: Callable[[str], None]

    @classmethod
    def open(cls, recipe: Recipe, folder: Path, report: Callable[[str], None]) -> Workshop:
        folder.mkdir(parents=True, exist_ok=True)
        return cls(recipe, load_families(recipe), folder, report)

    @property
    def renders(self) -> Path:
        return self.folder / "renders"

    @property
    def test_renders(self) -> Path:
        return self.folder / "renders-test"

    @property
    def meshes(self) -> Path:
        return self.folder / "meshes"

    @property
    def converted(self) -> Path:
        return self.folder / "converted"

    @property
    def exports(self) -> Path:
        return self.folder / "exports"

    @property
    def evaluation(self) -> Path:
        return self.folder / "evaluation.json"

    def read_evaluation(self) -> dict[str, Any]:
        """What the evaluation found.

        Raises:
            InputError: there is none, or it is damaged.
        """
        try:
            return json.loads(self.evaluation.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{self.evaluation} is missing: run 'brickgate-model evaluate' first") from error
        except ValueError as error:
            raise InputError(f"{self.evaluation} is no JSON ({error}): run 'brickgate-model evaluate' again") from error

    @property
    def scores(self) -> Path:
        """Folder of what the evaluation keeps for reports."""
        return self.folder / "evaluation"

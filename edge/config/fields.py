"""Types of single values in the YAML, and the base of every section."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationInfo


class Section(BaseModel):
    """A mapping of the YAML: unknown keys are errors, and nothing changes once it is read."""

    # Built when a file is first checked against it: most sections are only ever checked as a part of a whole.
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)


def folder_of(info: ValidationInfo) -> Path:
    """The folder of the YAML that is read, or where the command runs for a section made in code."""
    return Path((info.context or {}).get("folder", ""))


def _written_as_number(value: object) -> object:
    """Part numbers, positions and names may look like whole numbers: 3001 is "3001"."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _on_one_line(value: str) -> str:
    """Names stand in lines of the journal, of messages and of commands."""
    if any(character < " " for character in value):
        raise ValueError(f"{value!r} holds a line break, a tab or the like: write it on one line, without '|' or '>'")
    return value


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str | int | float) else value


Text = Annotated[str, BeforeValidator(_written_as_number), Field(min_length=1), AfterValidator(_on_one_line)]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Whole = Annotated[int, Strict()]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_one_or_many), Field(min_length=1)]
"""One text or a list of them."""
Region = tuple[Whole, Whole, Whole, Whole]
"""u0, v0, u1, v1 in px, the end excluded."""
Pin = Annotated[Whole, Field(ge=0, le=53)]
"""A GPIO by its BCM number, as printed beside the pins on most pin-out cards ("GPIO 18" is 18)."""

"""Checkpoints: what a training is of, and how far it is. They move between machines, with or without a GPU."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch

from edge.errors import BrickgateError, InputError
from quantization.data.opening import difference
from quantization.train.kinds import make_network
from quantization.train.layers import Network
from quantization.train.torch_file import read_torch

State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is trained: a checkpoint of another subject is refused."""

    families: tuple[str, ...]
    kind: str
    width: float
    task: str = "train"
    """"train" or "distill"."""
    lesson: Mapping[str, float] = field(default_factory=dict[str, float])
    """How a teacher is learned from; empty where there is none."""
    teacher: str = ""
    """The first digits of its checkpoint's SHA-256; empty where there is none."""


@dataclass(slots=True)
class Progress:
    """Where a training stands: it can be saved, and gone on with."""

    stage: int = 0
    pictures_in_stage: int = 0
    pictures: int = 0
    seconds: float = 0.0
    place: int = 0
    """Samples of the global order that were seen."""
    key: int = 0
    """Counts the orders: another one begins when the sources, or their shares, are others than before."""
    sources: list[int] = field(default_factory=list[int])
    """Samples in each source when `place` was counted."""
    shares: list[float] = field(default_factory=list[float])
    """The shares of these; none where an older checkpoint does not say."""


def write(state: State, path: Path) -> None:
    """Writes a checkpoint beside the old one, then replaces it.

    Raises:
        BrickgateError: it cannot be written; the old one is as it was.
    """
    temporary = path.with_suffix(".new")
    try:
        with temporary.open("wb") as stream:
            torch.save(state, stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError) as error:
        temporary.unlink(missing_ok=True)
        # torch tells a file that was cut short with the place in its own source.
        why = (error.strerror or error) if isinstance(error, OSError) else "it was cut short"
        raise BrickgateError(
            f"{path} could not be written ({why}): the one before is kept; make room, and run the same command"
        ) from error


def read(path: Path) -> State:
    """Reads a checkpoint onto the CPU, wherever it was written.

    Raises:
        BrickgateError: it is damaged.
    """
    try:
        state: State = read_torch(path)
        missing = {"network", "average", "optimiser", "progress"} - set(state)
        if missing:
            raise KeyError(f"no '{min(missing)}'")
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise damaged(path, error) from error
    return state


def damaged(path: Path, error: Exception) -> BrickgateError:
    """What to say of a checkpoint that does not fit."""
    why = " ".join(str(error).split())[:160]
    return BrickgateError(f"{path} is of another recipe or damaged ({why}): move it away to start anew")


def described(subject: Subject | None, stages: Sequence[Any], seed: int) -> State:
    """What a checkpoint says of its recipe."""
    of = {} if subject is None else asdict(subject) | {"families": list(subject.families)}
    return {**of, "stages": [asdict(stage) for stage in stages], "seed": seed}


def check(path: Path, state: Mapping[str, Any], recipe: State) -> None:
    """Refuses a checkpoint of another subject, or one whose stages, as far as begun, were others.

    Raises:
        BrickgateError: it names what is different.
    """
    was: State = state.get("recipe", {})
    for key in ("task", "kind", "width", "seed", "families", "teacher"):
        if key in was and key in recipe and was[key] != recipe[key]:
            raise damaged(path, ValueError(_difference(key, was[key], recipe[key])))
    for key, old in was.get("lesson", {}).items():
        if (new := recipe.get("lesson", {}).get(key, old)) != old:
            raise damaged(path, ValueError(_difference(f"distill.{key}", old, new)))
    begun = state["progress"]["stage"] + 1
    for number, (old, new) in enumerate(zip(was.get("stages", []), recipe["stages"], strict=False), start=1):
        # What a checkpoint from before knew nothing of cannot contradict it.
        key = next((name for name in new if old.get(name, new[name]) != new[name]), None)
        if number <= begun and key:
            what = f"{key} of stage {number}, which is begun, was {old[key]} and is {new[key]}"
            raise damaged(path, ValueError(what))


def _difference(key: str, was: Any, now: Any) -> str:
    if key == "teacher":
        return f"its teacher was {was} and is {now}, by its file: give the one it began with"
    if key == "families":
        return f"it knows other families: {difference(was, now)}"
    return f"its {key} was {was} and is {now}"


class Trained(NamedTuple):
    """What a checkpoint holds: the averaged network in evaluation mode, the families that it knows, and how far its
    training is."""

    network: Network
    families: tuple[str, ...]
    progress: Progress


def load_trained(path: Path, otherwise: Subject | None = None) -> Trained:
    """What a checkpoint holds, to be used rather than trained on.

    Args:
        path: the checkpoint.
        otherwise: what it is of, where it does not say so itself.

    Raises:
        InputError: there is none, or it does not say what it is of.
        BrickgateError: it is damaged.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing: run 'brickgate-model train' first")
    state = read(path)
    was = state.get("recipe", {})
    if "kind" not in was and otherwise is None:
        raise InputError(f"{path} does not say which network it is of: train it anew, or give another checkpoint")
    if otherwise is not None:
        was = asdict(otherwise) | was
    try:
        network = make_network(was["kind"], len(was["families"]), was["width"])
        network.load_state_dict(state["average"])
        return Trained(network.eval(), tuple(was["families"]), Progress(**state["progress"]))
    except (RuntimeError, KeyError, TypeError) as error:
        raise damaged(path, error) from error

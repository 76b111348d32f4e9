"""How far a student is behind its teacher, on looks that neither has seen."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quantization.data.stream import Batch
from quantization.train.layers import Network, resized, to_input

TOP = 5


@torch.no_grad()
def gap(teacher: Network, student: Network, looks: Iterable[Batch], student_px: int | None = None) -> dict[str, Any]:
    """Accuracy of both networks, top-1 and top-5, what the student lacks, and how often both answer the same.

    Args:
        teacher: sees the looks as they are.
        student: sees them with sides of `student_px`; None: as they are.
    """
    taught, learned, families = (list[NDArray[Any]]() for _ in range(3))
    for pictures, of, _ in looks:
        taught.append(_scores(teacher, pictures))
        learned.append(_scores(student, pictures, student_px))
        families.append(of.numpy())
    truth = np.concatenate(families)
    figures: dict[str, Any] = {"looks": len(truth)}
    logits = {"teacher": np.concatenate(taught), "student": np.concatenate(learned)}
    for name, found in logits.items():
        figures[name] = {"top1": right(found, truth, 1), f"top{TOP}": right(found, truth, TOP)}
    figures["gap_top1"] = round(figures["teacher"]["top1"] - figures["student"]["top1"], 4)
    figures["agreement"] = round(float((logits["teacher"].argmax(1) == logits["student"].argmax(1)).mean()), 4)
    return figures


def _scores(network: Network, pictures: Tensor, size_px: int | None = None) -> NDArray[np.float32]:
    """(N, classes) logits of (N, S, S, 3) uint8 RGB."""
    device = next(network.parameters()).device
    seen = to_input(pictures.to(device))
    return network(seen if size_px is None else resized(seen, size_px)).float().cpu().numpy()


def right(logits: NDArray[np.float32], families: NDArray[np.int64], best: int) -> float:
    """Share of looks whose family is among the `best` scores."""
    among = np.argsort(-logits, axis=1)[:, :best] == families[:, None]
    return round(float(among.any(axis=1).mean()), 4)


def write_gap(figures: dict[str, Any], path: Path) -> None:
    """Keeps the figures as JSON."""
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")

"""Files that torch wrote."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch


def read_torch(path: Path) -> Any:
    """Reads tensors and plain values onto the CPU, wherever they were written.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged, or none of torch's.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd versions, which other kinds of files seem to have
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # of random bytes a dozen kinds, KeyError and AssertionError among them
        raise ValueError(" ".join(str(error).split())) from error

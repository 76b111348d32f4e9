"""Memory that a training step or a render frees is kept for the next one."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""Parameters of glibc's mallopt (malloc.h)."""
KEPT_BYTES = 2**31 - 1
GROWTH_BYTES = 256 * 2**20


def keep_freed_memory() -> bool:
    """Tells glibc to hand blocks of every size out of its heap, and to give nothing back to the system.

    Unless told so it maps each block above 32 MB anew and gives it back when freed, and the system clears all of its
    pages again at each step. That took a third to two fifths of a step's time (docs/results.md, "The universal model"),
    and takes a sixth of a render's ("Rendering").

    Returns:
        Whether the C library knows how: only glibc does.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all([mallopt(M_MMAP_MAX, 0), mallopt(M_TRIM_THRESHOLD, KEPT_BYTES), mallopt(M_TOP_PAD, GROWTH_BYTES)])

"""How many pictures a second one thread trains on: by picture size, with freed memory kept or given back, and frozen.

    python tests/evaluation/training_speed.py [--classes 102] [--seconds 5]

Bare steps of the starter's network on noise, batches of 64; seconds of the thread's own, as other work may run
beside. Each line is a process of its own, for memory that is kept is kept for good.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import torch
from torch.nn import functional

from quantization.memory import keep_freed_memory
from quantization.train.network import MobileNetV2

BATCH = 64
SIZES_PX = (64, 96, 112, 128)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def measured(size_px: int, dtype: torch.dtype, blocks_frozen: int, classes: int, seconds: float) -> float:
    """Pictures a second of this thread's own time."""
    network = MobileNetV2(classes).train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.freeze_norms(True)
    network.freeze_blocks(blocks_frozen)
    optimiser = torch.optim.AdamW(network.parameters(), fused=True)
    pictures = torch.randn(BATCH, 3, size_px, size_px).contiguous(memory_format=torch.channels_last)
    families = torch.randint(0, classes, (BATCH,))

    def step() -> None:
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            loss = functional.cross_entropy(network(pictures).float(), families)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    for _ in range(3):
        step()
    steps, began = 0, time.process_time()
    while time.process_time() - began < seconds:
        step()
        steps += 1
    return steps * BATCH / (time.process_time() - began)


def one_line(kept: bool, dtype: str, blocks_frozen: int, classes: int, seconds: float) -> None:
    torch.set_num_threads(1)
    if kept:
        keep_freed_memory()
    speeds = [f"{measured(px, DTYPES[dtype], blocks_frozen, classes, seconds):8.0f}" for px in SIZES_PX]
    memory = "kept" if kept else "given back"
    print(f"{memory:>10}  {dtype:>8}  {blocks_frozen:>13}  " + "".join(speeds), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=102)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--line", nargs=3, metavar=("KEPT", "DTYPE", "FROZEN"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.line:
        kept, dtype, frozen = options.line
        one_line(kept == "kept", dtype, int(frozen), options.classes, options.seconds)
        return
    print(
        f"{'memory':>10}  {'type':>8}  {'blocks frozen':>13}  " + "".join(f"{px:5} px" for px in SIZES_PX), flush=True
    )
    for kept, dtype, frozen in (
        ("back", "float32", "0"),
        ("back", "bfloat16", "0"),
        ("kept", "float32", "0"),
        ("kept", "bfloat16", "0"),
        ("kept", "float32", "7"),
    ):
        command = [sys.executable, __file__, "--line", kept, dtype, frozen]
        command += ["--classes", str(options.classes), "--seconds", str(options.seconds)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()

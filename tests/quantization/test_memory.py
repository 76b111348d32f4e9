"""Memory that is freed is not cleared by the system again."""

import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from edge.errors import BrickgateError
from quantization.memory import keep_freed_memory

if sys.argv[1] == "kept" and not keep_freed_memory():
    sys.exit("the C library is not glibc")
if sys.argv[1] == "rendering":
    from quantization.render.renderer import Renderer
    try:
        renderer = Renderer(48)
    except BrickgateError as error:
        sys.exit(str(error))
np.ones(16 * 2**20)  # 128 MB, freed at once
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(16 * 2**20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=False)
    if done.returncode and "Traceback" not in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_large_block_is_given_out_again_as_it_is():
    assert page_faults("kept") < 100


def test_whoever_renders_keeps_what_is_freed():
    assert page_faults("rendering") < 100


def test_the_c_library_alone_would_have_it_cleared():
    assert page_faults("as it is") > 30

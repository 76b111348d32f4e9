"""The lines that arm64_suite.sh goes on from: one a file, also for files that no test of was run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FILES = {
    "test_mixed.py": "import pytest\ndef test_good(): pass\ndef test_bad(): assert False\n"
    "@pytest.mark.skip\ndef test_no(): pass\n",
    "test_unsettled.py": "import pytest\n@pytest.fixture\ndef thing(): raise OSError\ndef test_it(thing): pass\n",
    "test_unreadable.py": "import no_such_module\n",
    "test_absent.py": "import pytest\npytest.importorskip('no_such_module')\n",
    "test_factory.py": "raise ModuleNotFoundError(\"No module named 'torch.nn'\")\n",
    "test_empty.py": "",
    "deeper/conftest.py": "",
    "deeper/test_deep.py": "def test_good(): pass\n",
    "test_last.py": "def test_good(): pass\n",
}


def run_suite(folder: Path, *files: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parent),
        "SUITE_RESULTS": str(folder / "results"),
        "SUITE_RUNNING": str(folder / "running"),
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "suite_record",
        "-p",
        "no:cacheprovider",
        "-q",
        "--rootdir",
        folder,
    ]
    return subprocess.run(
        [*command, "--continue-on-collection-errors", *files],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def read_counts(folder: Path) -> dict[str, tuple[int, int, int]]:
    rows = [line.split("\t") for line in (folder / "results").read_text().splitlines()]
    counts = {file: (int(passed), int(failed), int(skipped)) for file, passed, failed, skipped, _ in rows}
    assert len(counts) == len(rows), "a file has two lines"
    return counts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deeper").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_each_file_has_its_line(folder: Path) -> None:
    result = run_suite(folder, *(name for name in FILES if "conftest" not in name))
    assert result.returncode == 1, result.stdout
    assert read_counts(folder) == {
        "test_mixed.py": (1, 1, 1),
        "test_unsettled.py": (0, 1, 0),
        "test_unreadable.py": (0, 1, 0),
        "test_absent.py": (0, 0, 1),
        "test_factory.py": (0, 0, 1),
        "test_empty.py": (0, 0, 0),
        "deeper/test_deep.py": (1, 0, 0),
        "test_last.py": (1, 0, 0),
    }


def test_an_end_half_way_leaves_the_name_and_no_line(folder: Path) -> None:
    (folder / "test_ends.py").write_text("import os\ndef test_good(): pass\ndef test_ends(): os._exit(134)\n")
    result = run_suite(folder, "test_last.py", "test_ends.py")
    assert result.returncode == 134
    assert read_counts(folder) == {"test_last.py": (1, 0, 0)}
    assert (folder / "running").read_text() == "test_ends.py"


def test_where_pytest_itself_fails_no_file_has_a_line(folder: Path) -> None:
    (folder / "conftest.py").write_text("def pytest_collection_modifyitems(): raise OSError\n")
    result = run_suite(folder, "test_last.py")
    assert result.returncode == 3, result.stdout
    assert not (folder / "results").exists()

"""The machine's two YAML files: schema, loading, checks and shipped examples."""

from __future__ import annotations

from pathlib import Path

from edge.catalogue.spelling import did_you_mean
from edge.errors import ConfigError

_EXAMPLES = Path(__file__).parent / "examples"


def examples() -> tuple[str, ...]:
    """Names of the shipped example machines."""
    return tuple(sorted(folder.name for folder in _EXAMPLES.iterdir() if (folder / "machine.yaml").is_file()))


def example(name: str) -> Path:
    """The folder of an example machine, with its `machine.yaml` and `bins.yaml`."""
    if name not in examples():
        raise ConfigError(f"no example machine '{name}'{did_you_mean(name, examples())} ({', '.join(examples())})")
    return _EXAMPLES / name

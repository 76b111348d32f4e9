"""From a YAML file to a checked configuration, or to a ConfigError that names file, line and key."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from edge.config.bins import BinsConfig
from edge.config.check_bins import check_bins
from edge.config.check_machine import check_machine
from edge.config.document import Document, read_document
from edge.config.findings import Finding, raise_for_errors
from edge.config.messages import explain
from edge.config.schema import MachineConfig

Config = TypeVar("Config", bound=BaseModel)


def read(file: Path, model: type[Config]) -> tuple[Config | None, Document, list[Finding]]:
    """The configuration (None when it is not valid), the document it came from, and what is wrong with it.

    What the file names to be read (recordings, bundles, part lists) is relative to its folder; of a link, to the folder
    of what it leads to: on a card the settings are links to the drive that any PC shows.
    """
    document = read_document(file)
    if document.findings:
        return None, document, document.findings
    try:
        folder = file.resolve().parent if file.is_symlink() else file.parent
        config = model.model_validate(document.value, context={"folder": folder})
    except ValidationError as error:
        return None, document, explain(error, document, model)
    return config, document, []


def load_machine(path: str | Path) -> MachineConfig:
    """Reads machine.yaml.

    Raises:
        ConfigError: unreadable, no YAML, against the schema, or gates and views that do not go together.
    """
    config, document, findings = read(Path(path), MachineConfig)
    raise_for_errors(findings)
    assert config is not None
    raise_for_errors(check_machine(config, document))
    return config


def load_bins(path: str | Path) -> BinsConfig:
    """Reads bins.yaml and the part lists that it names.

    Raises:
        ConfigError: unreadable, no YAML, against the schema, or bins and layout that do not go together.
    """
    config, document, findings = read(Path(path), BinsConfig)
    raise_for_errors(findings)
    assert config is not None
    raise_for_errors(check_bins(config, document))
    return config

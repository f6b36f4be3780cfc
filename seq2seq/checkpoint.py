"""A checkpoint folder: the names of its files, how they are written, and the seal by which damage is noticed.

The seal is the entry "sha256" of `config.json`: a checksum of each file that is read, the config included. A folder without
one, as older versions wrote it, loads unchecked.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from seq2seq.config import ModelConfig

CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FILE = "config.json", "model.safetensors", "tokenizer.json"
METRICS_FILE, CARD_FILE = "metrics.json", "README.md"
SEAL, SEALED = "sha256", (WEIGHTS_FILE, TOKENIZER_FILE, METRICS_FILE)
"""The entry of the config, and the files it tells of beside the config itself."""
UPGRADE = "it may come from a newer version of this program: upgrade this one"


class CheckpointError(ValueError):
    """A folder or hub id from which no model can be made. The message says what is wrong with it."""


def write_beside(path: Path, content: str | bytes) -> None:
    """Writes a file, text as UTF-8, so that `path` always holds either the old content or the new one, whole. Raises OSError,
    which names the file, and then leaves nothing else behind."""
    beside = path.with_name(path.name + ".tmp")
    try:
        with beside.open("wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())  # or after a power cut the new name could have no content
        os.replace(beside, path)
    except OSError as error:  # that of a full disk names no file
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def read_config(path: Path) -> ModelConfig:
    """What a `config.json` says of its model. Raises CheckpointError if that is none, or not what was written."""
    settings, sums = _parsed(path)
    if sums and sums.get(CONFIG_FILE) != _config_sum(settings, sums):
        raise CheckpointError(_damaged(path))
    if "kind" not in settings:
        raise CheckpointError(f"{path} does not describe a model: it names no kind")
    known = {field.name: field.default for field in fields(ModelConfig)}
    for name, value in settings.items():
        if name not in known:
            raise CheckpointError(f"{path} does not describe a model: unknown setting {name[:40]!r}; {UPGRADE}")
        wanted = type(known[name])
        if type(value) is not wanted and not (wanted is float and type(value) is int):
            raise CheckpointError(f"{path} does not describe a model: {name} is no {wanted.__name__}")
    try:
        return ModelConfig(**settings)
    except ValueError as error:
        raise CheckpointError(f"{path} does not describe a model: {error}") from error


def read_sealed(path: Path) -> bytes:
    """The content of a file of a checkpoint. Raises CheckpointError if it is not what the config beside it has sealed."""
    raw = content(path)
    beside = path.with_name(CONFIG_FILE)
    _, sums = _parsed(beside)
    if path.name in sums and sums[path.name] != hashlib.sha256(raw).hexdigest():
        raise CheckpointError(_damaged(path))
    return raw


def seal(folder: Path) -> None:
    """Writes the checksums of the files as they are now. Errors as of `read_config` and `write_beside`."""
    settings, _ = _parsed(folder / CONFIG_FILE)
    there = [folder / name for name in SEALED if (folder / name).is_file()]
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in there}
    sums[CONFIG_FILE] = _config_sum(settings, sums)
    write_beside(folder / CONFIG_FILE, json.dumps(settings | {SEAL: sums}, indent=2) + "\n")


@contextlib.contextmanager
def unsealed(folder: Path) -> Iterator[None]:
    """Takes the seal off while files change that are each replaced whole, so that a kill in between leaves a checkpoint which
    loads, unchecked, and not one that is refused. Then seals what is there."""
    settings, sums = _parsed(folder / CONFIG_FILE)
    if sums:
        write_beside(folder / CONFIG_FILE, json.dumps(settings, indent=2) + "\n")
    try:
        yield
    finally:
        seal(folder)


def content(path: Path) -> bytes:
    """What stands in a file. Raises CheckpointError."""
    if not path.is_file():  # it may be a folder, or a pipe on which one would wait for ever
        raise CheckpointError(f"{path} is not there, or is no file")
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error


def _parsed(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """A config without its seal, and the seal, empty if it has none."""
    raw = content(path)
    try:
        settings = json.loads(raw.decode())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} does not describe a model: it is not JSON ({error})") from error
    if not isinstance(settings, dict):
        raise CheckpointError(f"{path} does not describe a model: it is no JSON object")
    sums = settings.pop(SEAL, {})
    if not isinstance(sums, dict):
        raise CheckpointError(_damaged(path))
    return settings, sums


def _config_sum(settings: dict[str, Any], sums: dict[str, str]) -> str:
    """Of all that a config says, the other sums included, however it is laid out."""
    said = settings | {SEAL: {name: value for name, value in sums.items() if name != CONFIG_FILE}}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _damaged(path: Path) -> str:
    return f"{path} is damaged: its checksum differs. Fetch it again; if you changed it: python -m seq2seq seal DIR"

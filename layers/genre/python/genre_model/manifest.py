"""The manifest: what an artifact folder says about itself, and the check that it is true.

Plain dataclasses and explicit checks instead of a validation library: it is read at every cold start.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from genre_model.errors import ArtifactError
from genre_model.labels import GENRES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MANIFEST_NAME: Final = "manifest.json"
SCHEMA_VERSION: Final = 2
"""What the pipeline writes. Version 1 is read as well: its calibration knows nothing of lengths."""
POSITIONS: Final = 512
"""Position embeddings of BERT: no window is longer."""
MAX_BINS: Final = 2**20
MAX_FEATURES: Final = 2**20


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of the artifact: lower-case hex digest and size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowInput:
    """How a transformer is fed.

    Parameters
    ----------
    window_tokens : int
        Length of a window, special tokens included.
    max_windows : int
        Windows read of one text at most.
    max_title_tokens : int
        Word pieces of a title kept.
    max_batch_tokens : int
        Padded tokens of one run of the network; at most one window where it is smaller than that. 1 keeps every
        answer independent of what it is batched with, which dynamic quantization needs.
    """

    window_tokens: int
    max_windows: int
    max_title_tokens: int
    max_batch_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BagInput:
    """How a tree model is fed.

    Parameters
    ----------
    bins : int
        Columns of a hashed bag, a power of two.
    """

    bins: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WidePart:
    """The linear model beside a transformer; see `genre_model.wide`.

    Parameters
    ----------
    file : str
        The table's file.
    features : int
        N-grams of word pieces that it holds.
    ngrams : int
        Length of the longest n-gram, 1 or 2.
    max_tokens : int
        Word pieces read of a text, from its beginning.
    weights : tuple of float
        Per label, 0 or more: the logit is the network's plus ``weight`` times the linear model's.
    """

    file: str
    features: int
    ngrams: int
    max_tokens: int
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthPart:
    """What calibration makes of a text's length; see `genre_model.calibration.Calibration`.

    Parameters
    ----------
    scale : float
        From 0 to below 1.
    centre : tuple of float
        Per label, its usual logit.
    """

    scale: float
    centre: tuple[float, ...]


NO_LENGTH: Final = LengthPart(scale=0.0, centre=(0.0,) * len(GENRES))
"""Lengths do not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A checked manifest.

    Parameters
    ----------
    name, version : str
        What an answer names as its model.
    files : mapping of str to FileEntry
        Holds at least the files named by ``network``, ``tokenizer`` and ``wide``.
    input : WindowInput or BagInput
        How the network is fed; which of the two follows from the manifest's ``kind``.
    wide : WidePart or None
        The linear model whose logits are added to a transformer's, if the artifact has one.
    thresholds : tuple of float
        Per label, strictly between 0 and 1; a label at or above its threshold is selected.
    slope, intercept : tuple of float
        Per label, Platt scaling of the logit: ``sigmoid(slope * logit + intercept)``; slopes above 0.
    length : LengthPart
        How the text's length counts before that: not at all in a manifest of schema version 1.
    """

    name: str
    version: str
    files: Mapping[str, FileEntry]
    network: str
    tokenizer: str
    input: WindowInput | BagInput
    wide: WidePart | None
    thresholds: tuple[float, ...]
    slope: tuple[float, ...]
    intercept: tuple[float, ...]
    length: LengthPart

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read and check ``manifest.json``; the files it lists are checked when they are read.

        Raises
        ------
        ArtifactError
            If the folder or the manifest is missing, is not JSON or does not fit the schema.
        """
        path = folder / MANIFEST_NAME
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            reason = "has no manifest.json" if folder.is_dir() else "is not there"
            message = f"model artifact {folder} {reason}"
            raise ArtifactError(message) from None
        except (OSError, ValueError) as error:
            message = f"{path} is not readable JSON: {error}"
            raise ArtifactError(message) from error
        try:
            return _parse(content)
        except _Flaw as flaw:
            message = f"{path}: {flaw}"
            raise ArtifactError(message) from flaw

    def read_file(self, folder: Path, name: str) -> bytes:
        """Read one listed file whole and hold its bytes against the manifest.

        Raises
        ------
        ArtifactError
            If the file is missing, or differs in size or digest.
        """
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise _unreadable(folder / name, error) from error
        self._compare(folder / name, len(content), hashlib.sha256(content).hexdigest())
        return content

    def check_file(self, folder: Path, name: str) -> Path:
        """Do the same without keeping the bytes, for what is then read by its path, which is what this gives."""
        path = folder / name
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
        except OSError as error:
            raise _unreadable(path, error) from error
        self._compare(path, size, digest)
        return path

    def _compare(self, path: Path, size: int, digest: str) -> None:
        entry = self.files[path.name]
        if size != entry.size:
            message = f"model artifact file {path} has {size} bytes instead of {entry.size}"
            raise ArtifactError(message)
        if digest != entry.sha256:
            message = f"model artifact file {path} differs from the manifest's sha256"
            raise ArtifactError(message)


def _unreadable(path: Path, error: OSError) -> ArtifactError:
    return ArtifactError(f"model artifact file {path} cannot be read: {error.strerror}")


class _Flaw(Exception):  # noqa: N818 -- never leaves this module
    """What is wrong with a manifest, without the file's name."""


def _parse(content: Any) -> Manifest:  # noqa: ANN401 -- whatever the file holds
    root = _object(content, "the manifest")
    version = root.get("schema_version")
    if type(version) is not int or not 1 <= version <= SCHEMA_VERSION:
        message = f"schema_version is {version!r}, this code reads 1 to {SCHEMA_VERSION}"
        raise _Flaw(message)
    if root.get("labels") != list(GENRES):
        message = "labels are not the 18 genres in their order"
        raise _Flaw(message)
    files = {
        name: FileEntry(_text(entry, "sha256"), _whole(entry, "size", 0, 2**40))
        for name, entry in (
            (name, _object(entry, f"files.{name}"))
            for name, entry in _object(root.get("files"), "files").items()
        )
    }
    calibration = _object(root.get("calibration"), "calibration")
    manifest = Manifest(
        name=_text(root, "name"),
        version=_text(root, "version"),
        files=files,
        network=_text(root, "network"),
        tokenizer=_text(root, "tokenizer"),
        input=_input(root),
        wide=_wide(root),
        thresholds=_numbers(root, "thresholds", 0.0, 1.0),
        slope=_numbers(calibration, "slope", 0.0, math.inf),
        intercept=_numbers(calibration, "intercept", -math.inf, math.inf),
        length=NO_LENGTH if version == 1 else _length(calibration),
    )
    named = [manifest.network, manifest.tokenizer, *([manifest.wide.file] if manifest.wide else [])]
    for name in named:
        if name not in files:
            message = f"file {name!r} is named but not listed under files"
            raise _Flaw(message)
    if any("/" in name or "\\" in name or name.startswith(".") for name in files):
        message = "a file name leaves the artifact folder"
        raise _Flaw(message)
    return manifest


def _input(root: dict[str, Any]) -> WindowInput | BagInput:
    inputs = _object(root.get("input"), "input")
    kind = root.get("kind")
    if kind == "bag":
        bins = _whole(inputs, "bins", 2, MAX_BINS)
        if bins & (bins - 1):
            message = f"bins is {bins}, not a power of two"
            raise _Flaw(message)
        return BagInput(bins=bins)
    if kind != "windows":
        message = f"kind is {kind!r}, not windows or bag"
        raise _Flaw(message)
    found = WindowInput(
        window_tokens=_whole(inputs, "window_tokens", 16, POSITIONS),
        max_windows=_whole(inputs, "max_windows", 1, 1024),
        max_title_tokens=_whole(inputs, "max_title_tokens", 0, 64),
        max_batch_tokens=_whole(inputs, "max_batch_tokens", 1, 2**20),
    )
    if found.max_title_tokens + 3 > found.window_tokens // 2:
        message = "max_title_tokens leaves less than half a window to the text"
        raise _Flaw(message)
    return found


def _wide(root: dict[str, Any]) -> WidePart | None:
    if "wide" not in root:
        return None
    part = _object(root["wide"], "wide")
    if root.get("kind") != "windows":
        message = f"a network of kind {root.get('kind')!r} has no wide part"
        raise _Flaw(message)
    weights = _numbers(part, "weights", -math.inf, math.inf)
    if min(weights) < 0:
        message = "a weight of the wide part is below 0"
        raise _Flaw(message)
    return WidePart(
        file=_text(part, "file"),
        features=_whole(part, "features", 1, MAX_FEATURES),
        ngrams=_whole(part, "ngrams", 1, 2),
        max_tokens=_whole(part, "max_tokens", 1, 2**20),
        weights=weights,
    )


def _length(calibration: dict[str, Any]) -> LengthPart:
    part = _object(calibration.get("length"), "calibration.length")
    scale = part.get("scale")
    if not isinstance(scale, (int, float)) or isinstance(scale, bool) or not 0 <= scale < 1:
        message = f"calibration.length.scale is {scale!r}, not a number from 0 to below 1"
        raise _Flaw(message)
    return LengthPart(scale=float(scale), centre=_numbers(part, "centre", -math.inf, math.inf))


def _object(value: Any, name: str) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(value, dict):
        message = f"{name} is missing or not an object"
        raise _Flaw(message)
    return value


def _text(holder: dict[str, Any], field: str) -> str:
    value = holder.get(field)
    if not isinstance(value, str) or not value:
        message = f"{field} is missing or not a text"
        raise _Flaw(message)
    return value


def _whole(holder: dict[str, Any], field: str, low: int, high: int) -> int:
    value = holder.get(field)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        message = f"{field} is {value!r}, not a whole number from {low} to {high}"
        raise _Flaw(message)
    return value


def _numbers(holder: dict[str, Any], field: str, low: float, high: float) -> tuple[float, ...]:
    value = holder.get(field)
    if (
        not isinstance(value, list)
        or len(value) != len(GENRES)
        or not all(isinstance(v, (int, float)) and not isinstance(v, bool) and low < v < high for v in value)
    ):
        message = f"{field} is not a list of {len(GENRES)} numbers between {low:g} and {high:g}"
        raise _Flaw(message)
    return tuple(float(v) for v in value)

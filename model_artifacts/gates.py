"""The gates a version passes before it becomes champion. They read the registry and the artifact; they decide nothing else.

The figures are those of the evaluation step, which anyone can run again; only latency is measured here, against the
champion on the same machine in the same minute.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from genre_model import ArtifactError, Document, GenreModel
from genre_model.manifest import Manifest, WindowInput
from model_artifacts.pipeline.files import sha256
from model_artifacts.registry import CARD_NAME, CHAMPION, Registry, RegistryError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MAX_BYTES: Final = 25_000_000
"""All that a function reads of an artifact is read whole at every cold start."""
MAX_CALIBRATION_ERROR: Final = 0.03
MAX_INT8_LOSS: Final = 0.003
"""Micro- and macro-F1 that quantization may cost."""
MAX_QUALITY_LOSS: Final = 0.002
"""F1 below the champion's that still counts as equal: about the noise of 4,000 titles."""
MAX_SLOWDOWN: Final = 1.5
_F1: Final = ("micro_f1", "macro_f1")
_ROUNDS: Final = 15
_PLOT: Final = (
    "A retired clockmaker is asked to repair the tower clock of the town that drove her out, and finds that it was never "
    "broken: somebody has been setting it back by an hour every winter, and in each of those hours a child disappeared."
)


class PromotionRefusedError(RegistryError):
    """A version failed a gate; the text names each gate and the reason."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate's verdict: its name, whether the version passes, and the figures it was judged by."""

    name: str
    passed: bool
    detail: str


def check_gates(registry: Registry, model: str, reference: str) -> list[Gate]:
    """Judge a version.

    Parameters
    ----------
    registry : Registry
        Where it is registered, and its champion with it.
    model, reference : str
        The model, and a version or an alias of it.

    Returns
    -------
    list of Gate
        All gates, passed or not; those that need a loaded model are left out where it cannot be loaded.

    Raises
    ------
    RegistryError
        If there is no such model or version.
    """
    version = registry.version(model, reference)
    record = registry.models[model]["versions"][version]
    metrics = record.get("metrics", {})
    gates = [_card(registry.root / model / version, model, version)]
    # The first versions were registered with the size of their network alone.
    size = metrics.get("artifact_size", metrics.get("network_size"))
    gates.append(_at_most("size", size, MAX_BYTES))
    gates.append(_at_most("calibration", metrics.get("expected_calibration_error"), MAX_CALIBRATION_ERROR))
    champion = registry.models[model]["aliases"].get(CHAMPION)
    rival = registry.models[model]["versions"][champion] if champion not in (None, version) else None
    if rival is not None:
        gates += _quality(record, rival, champion)
    try:
        folder = registry.resolve(model, version)
        loaded = GenreModel.load(folder)
        gates.append(_digests(folder, record))
        gates += _quantization(folder, metrics)
    except (ArtifactError, RegistryError) as error:
        gates.append(Gate("artifact", passed=False, detail=str(error)))
    else:
        if rival is not None:
            gates.append(_latency(loaded, registry, model, champion))
    return gates


def promote(registry: Registry, model: str, reference: str) -> tuple[Registry, list[Gate]]:
    """Give the registry with the version as champion, and the gates it passed.

    Raises
    ------
    PromotionRefusedError
        If it fails a gate.
    RegistryError
        If there is no such model or version.
    """
    gates = check_gates(registry, model, reference)
    version = registry.version(model, reference)
    if failed := [gate for gate in gates if not gate.passed]:
        reasons = "; ".join(f"{gate.name}: {gate.detail}" for gate in failed)
        message = f"{model} {version} is not promoted: {reasons}"
        raise PromotionRefusedError(message)
    return registry.with_champion(model, version), gates


def _card(folder: Path, model: str, version: str) -> Gate:
    try:
        text = (folder / CARD_NAME).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return Gate("card", passed=False, detail=f"{folder / CARD_NAME} is missing or no text")
    named = f"{model} {version}" in text
    detail = "present" if named else f"{CARD_NAME} does not speak of {model} {version}"
    return Gate("card", passed=named, detail=detail)


def _at_most(name: str, value: float | None, limit: float) -> Gate:
    if value is None:
        return Gate(name, passed=False, detail="was not measured")
    return Gate(name, passed=value <= limit, detail=f"{value:.6g}, at most {limit:g}")


def _quantization(folder: Path, metrics: dict[str, Any]) -> list[Gate]:
    """Judge what INT8 cost the transformer; the trees are shipped as they grew."""
    if not isinstance(Manifest.load(folder).input, WindowInput):
        return []
    losses = metrics.get("int8_loss", {})
    return [_at_most(f"int8 {name}", losses.get(name), MAX_INT8_LOSS) for name in _F1]


def _quality(record: dict[str, Any], rival: dict[str, Any], champion: str) -> list[Gate]:
    """F1 not below the champion's, on the same titles."""
    ours, theirs = (r.get("lineage", {}).get("evaluated_on", {}).get("sha256") for r in (record, rival))
    if ours is None or theirs is None:
        detail = f"the titles that it or the champion {champion} was measured on are not on record"
        return [Gate("quality", passed=False, detail=detail)]
    if ours != theirs:
        detail = f"measured on other titles than the champion {champion}: evaluate both on the same file"
        return [Gate("quality", passed=False, detail=detail)]
    # On the titles that thresholds were chosen on, a rule that fits them closer looks better than it is (docs/adr/0012).
    figures = [r.get("metrics", {}) for r in (record, rival)]
    titles = "not held out"
    if all("held_out" in own for own in figures):
        figures, titles = [own["held_out"] for own in figures], "held out"
    mine, its = figures
    return [_at_least(name, mine.get(name), its.get(name), f"champion {champion}, {titles}") for name in _F1]


def _at_least(name: str, value: float | None, rival: float | None, beside: str) -> Gate:
    if value is None or rival is None:
        return Gate(name, passed=False, detail=f"was not measured for both ({beside})")
    floor = rival - MAX_QUALITY_LOSS
    return Gate(name, passed=value >= floor, detail=f"{value:.4f}, at least {floor:.4f} ({beside})")


def _digests(folder: Path, record: dict[str, Any]) -> Gate:
    files = record.get("files")
    if not files:
        return Gate("artifact", passed=False, detail="the digests of its files are not on record")
    for name, digest in sorted(files.items()):
        path = folder / name
        if not path.is_file() or sha256(path) != digest:
            return Gate("artifact", passed=False, detail=f"{path} is not the file that was registered")
    return Gate("artifact", passed=True, detail="loads, and its files are those registered")


def measured_slowdown(
    ours: GenreModel, theirs: GenreModel, *, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Time one plot on both in turns: the median of the rounds' ratios, ours to theirs; the first round is dropped.

    Parameters
    ----------
    clock : callable
        Gives seconds since some moment.
    """

    def seconds(model: GenreModel) -> float:
        started = clock()
        model.predict([Document(_PLOT)])
        return clock() - started

    return statistics.median([seconds(ours) / seconds(theirs) for _ in range(_ROUNDS + 1)][1:])


def _latency(ours: GenreModel, registry: Registry, model: str, champion: str) -> Gate:
    """Not much slower than the champion; one that cannot be loaded is in nobody's way."""
    try:
        theirs = GenreModel.load(registry.resolve(model, champion))
    except (ArtifactError, RegistryError) as error:
        return Gate(
            "latency", passed=True, detail=f"not compared, the champion {champion} cannot be loaded: {error}"
        )
    ratio = measured_slowdown(ours, theirs)
    return Gate(
        "latency",
        passed=ratio <= MAX_SLOWDOWN,
        detail=f"{ratio:.2f} times the champion's, at most {MAX_SLOWDOWN:g}",
    )

"""The step itself: make the variants, score each once, time all of them in one run, write it down."""

from __future__ import annotations

import gzip
import logging
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from genre_model.runtime import onnxruntime
from model_artifacts.pipeline.export import FP32_NAME
from model_artifacts.pipeline.files import sha256, write_json
from model_artifacts.pipeline.held_out import best_quality
from model_artifacts.pipeline.machine import processor
from model_artifacts.pipeline.quantize import INT8_NAME
from model_artifacts.pipeline.study import openvino_family
from model_artifacts.pipeline.study.layers import sensitivity
from model_artifacts.pipeline.study.memory import digest, remembered
from model_artifacts.pipeline.study.onnx_family import onnx_variants, opener, write_qdq
from model_artifacts.pipeline.study.pruned_family import pruned_variants
from model_artifacts.pipeline.study.sample import Sample, logits_of, spread, take
from model_artifacts.pipeline.study.text import STUDY_NAME
from model_artifacts.pipeline.study.timing import SLACK, measure, summary
from model_artifacts.pipeline.study.torch_family import torch_variants, write_plain_onnx
from model_artifacts.pipeline.study.variant import Network, Variant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from model_artifacts.pipeline.recipe import BertRecipe

logger = logging.getLogger(__name__)

REFERENCES: Final = ("torch fp32", "ONNX Runtime fp32")
SHIPPED: Final = "ONNX Runtime INT8, dynamic"
CALIBRATION_TEXTS: Final = 128
SENSITIVITY_WINDOWS: Final = 150


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _make(run: Path, recipe: BertRecipe, sample: Sample, models: Path) -> tuple[list[Variant], list[str]]:
    """Write the variants' files that are not there; give them, and a sentence for each family that is left out."""
    weights, exported = run / "train" / "weights.pt", run / "export" / FP32_NAME
    plain, qdq = models / "plain.onnx", models / "static_qdq.onnx"
    if not qdq.is_file():
        write_plain_onnx(weights=weights, layers=recipe.layers, path=plain)
        write_qdq(plain=plain, training=sample.training, path=qdq)
    variants = [
        *torch_variants(weights=weights, layers=recipe.layers, out=models),
        *onnx_variants(
            exported=exported,
            shipped=run / "quantize" / INT8_NAME,
            recipe=recipe.quantize,
            training=sample.training,
            out=models,
        ),
        Variant(
            name="ONNX Runtime INT8, static QDQ",
            family="ONNX Runtime",
            file=qdq,
            load=opener(qdq),
            note="ONNX Runtime's own tool on torch's traced graph: attention is not fused.",
        ),
        *pruned_variants(exported=exported, recipe=recipe.quantize, out=models),
    ]
    if openvino_family.installed():
        return [*variants, *openvino_family.openvino_variants(exported=exported, qdq=qdq)], []
    return variants, ["OpenVINO: not installed (pip install '.[study]')"]


def _score(
    variants: list[Variant], networks: dict[str, Network], sample: Sample, memory: Path
) -> dict[str, dict[str, Any]]:
    """Score every variant on the sample, and weigh its file."""
    scored: dict[str, dict[str, Any]] = {}
    expected: npt.NDArray[np.float32] | None = None
    for variant in variants:
        content = sha256(variant.file)
        logits = np.array(
            remembered(
                memory,
                digest("logits", variant.name, content, sample.windows),
                lambda name=variant.name: logits_of(networks[name], sample.windows).tolist(),  # type: ignore[misc]
            ),
            np.float32,
        )
        expected = logits if expected is None else expected
        scored[variant.name] = {
            "size": variant.file.stat().st_size,
            "gzip_size": remembered(
                memory,
                digest("gzip", content),
                lambda file=variant.file: len(gzip.compress(file.read_bytes(), 6)),  # type: ignore[misc]
            ),
            **best_quality(logits, sample.pieces, sample.labels),
            "logit_rms_to_torch": float(np.sqrt(np.mean(np.square(logits - expected)))),
        }
        logger.info("%-36s micro-F1 %.4f", variant.name, scored[variant.name]["micro_f1"])
    return scored


def study(
    *,
    run: Path,
    corpus_file: Path,
    recipe: BertRecipe,
    titles: int,
    rounds: int,
    skip_bad_lines: bool = False,
) -> None:
    """Run the step.

    Parameters
    ----------
    run : Path
        The pipeline's folder, with the steps up to `quantize` done; gets ``study/study.json`` and the variants' files.
    corpus_file : Path
        The validation file.
    titles : int
        Titles that every variant is scored on, spread over the file. What was scored before is not scored again; times are
        always taken anew.
    rounds : int
        Timed rounds.

    Raises
    ------
    StepError, CorpusError
        If an input is missing or damaged.
    """
    out = run / "study"
    sample = take(
        corpus_file=corpus_file,
        prepared=run / "prepare",
        recipe=recipe,
        titles=titles,
        training=CALIBRATION_TEXTS,
        skip_bad_lines=skip_bad_lines,
    )
    exported, memory = run / "export" / FP32_NAME, out / "memory"
    made_from = digest(sha256(exported), recipe.quantize.model_dump(mode="json"), sample.training)
    for stale in (out / "models").glob("*"):
        if stale.name != made_from:
            shutil.rmtree(stale)
    firsts = [windows[0] for windows in sample.windows]
    watched = [firsts[i] for i in spread(len(firsts), SENSITIVITY_WINDOWS)]
    with _one_thread():
        variants, left_out = _make(run, recipe, sample, out / "models" / made_from)
        for sentence in left_out:
            logger.warning("left out: %s", sentence)
        networks = {variant.name: variant.load() for variant in variants}
        scores = _score(variants, networks, sample, memory)
        parts = remembered(
            memory,
            digest("sensitivity", sha256(exported), watched),
            lambda: sensitivity(exported, watched),
        )
        logger.info("timing %d variants, %d rounds", len(variants), rounds)
        measured = measure(networks, rounds=rounds)
    latency = summary(measured, [variant.name for variant in variants], REFERENCES)
    write_json(
        out / STUDY_NAME,
        {
            "network": sha256(run / "quantize" / INT8_NAME),
            "quality": {
                "titles": len(sample.windows),
                "windows": sum(map(len, sample.windows)),
                "rule": "text alone, every window alone, calibration and thresholds of each variant's own on these titles",
            },
            "timing": {
                "processor": processor(),
                "threads": 1,
                "rounds": measured["rounds"],
                "rounds_kept": measured["rounds_kept"],
                "rule": f"a round beside which a fixed sort took over {SLACK} times its fastest tenth is dropped",
            },
            "versions": {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__},
            "left_out": left_out,
            "variants": [
                {
                    "name": variant.name,
                    "family": variant.family,
                    "shipped": variant.name == SHIPPED,
                    "note": variant.note,
                    **scores[variant.name],
                    "latency": latency[variant.name],
                }
                for variant in variants
            ],
            "sensitivity": {"windows": len(watched), "parts": parts},
        },
    )

"""The network in ONNX Runtime: float32, the shipped dynamic INT8, and static INT8 in two spellings."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx

from genre_model.runtime import onnxruntime
from model_artifacts.pipeline.files import replacing
from model_artifacts.pipeline.integers import in_integers
from model_artifacts.pipeline.quantize import kept_in_float
from model_artifacts.pipeline.saturation import check_no_saturation
from model_artifacts.pipeline.study.sample import as_input
from model_artifacts.pipeline.study.variant import Network, Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    from model_artifacts.pipeline.recipe import QuantizeRecipe

PERCENTILE: Final = 99.99
"""Share of a window's activations that a percentile range holds."""
_READS_BYTES: Final = frozenset({"MatMul", "Attention"})


def open_onnx(model: Path | bytes) -> Network:
    """Open a file for one thread on the CPU, as the service does."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, sess_options=options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    wide = session.get_inputs()[0].type == "tensor(int64)"

    def run(ids: npt.NDArray[Any], mask: npt.NDArray[Any]) -> npt.NDArray[Any]:
        feed = (ids.astype(np.int64), mask.astype(np.int64)) if wide else (ids, mask)
        logits: npt.NDArray[Any] = session.run(None, dict(zip(names, feed, strict=True)))[0]
        return logits

    return run


def opener(path: Path) -> Callable[[], Network]:
    """Give what opens a file, for a `Variant`."""
    return lambda: open_onnx(path)


def activation_ranges(
    model: onnx.ModelProto, windows: list[list[int]]
) -> tuple[dict[str, tuple[float, float]], dict[str, tuple[float, float]]]:
    """Run windows and see what every activation that a product reads lies between.

    Returns
    -------
    extremes, percentiles : dict
        Per activation: its smallest and largest value over all windows; and the mean over the windows of the values that
        bound `PERCENTILE` of it.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    names = sorted(
        {n.input[0] for n in model.graph.node if n.op_type in _READS_BYTES and n.input[1] in constants}
    )
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    del watched.graph.output[:]
    watched.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names
    )
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    cut = (100 - PERCENTILE) / 2
    found = []
    for window in windows:
        ids, mask = as_input(window)
        outputs = session.run(names, {"input_ids": ids, "attention_mask": mask})
        found.append([(v.min(), v.max(), *np.percentile(v, (cut, 100 - cut))) for v in outputs])
    values = np.array(found, np.float64)  # [windows, activations, 4]
    low, high = values[:, :, 0].min(0), values[:, :, 1].max(0)
    inner_low, inner_high = values[:, :, 2].mean(0), values[:, :, 3].mean(0)
    return (
        {n: (float(a), float(b)) for n, a, b in zip(names, low, high, strict=True)},
        {n: (float(a), float(b)) for n, a, b in zip(names, inner_low, inner_high, strict=True)},
    )


def onnx_variants(
    *, exported: Path, shipped: Path, recipe: QuantizeRecipe, training: list[list[int]], out: Path
) -> list[Variant]:
    """Make them.

    Parameters
    ----------
    exported, shipped : Path
        The float32 and the INT8 file of the steps before.
    training : list of list of int
        Windows that static ranges are read from.
    out : Path
        Folder for their files.

    Raises
    ------
    StepError
        If a quantized variant could saturate.
    """
    floating = onnx.load(exported)
    variants = [
        Variant(name="ONNX Runtime fp32", family="ONNX Runtime", file=exported, load=opener(exported)),
        Variant(name="ONNX Runtime INT8, dynamic", family="ONNX Runtime", file=shipped, load=opener(shipped)),
    ]
    kept = kept_in_float(floating, recipe.exclude)
    paths = {"min-max": out / "static_min_max.onnx", f"{PERCENTILE} %": out / "static_percentile.onnx"}
    if not all(path.is_file() for path in paths.values()):
        for path, ranges in zip(paths.values(), activation_ranges(floating, training), strict=True):
            model = in_integers(floating, kept=kept, ranges=ranges)
            check_no_saturation(model)
            with replacing(path) as temporary:
                onnx.save(model, temporary)
    for label, path in paths.items():
        variants.append(
            Variant(
                name=f"ONNX Runtime INT8, static {label}",
                family="ONNX Runtime",
                file=path,
                load=opener(path),
                note=f"Ranges from {len(training)} training texts; the shipped graph's operators with fixed scales.",
            )
        )
    return variants


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Keep back the quantizer's advice to preprocess, which it gives the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def write_qdq(*, plain: Path, training: list[list[int]], path: Path) -> None:
    """Quantize a graph of standard operators with ONNX Runtime's own tool: QDQ pairs, static ranges, 7-bit weights."""
    # Not at the top: `genre_model.runtime` has to silence the library first.
    from onnxruntime.quantization import (  # noqa: PLC0415
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Windows(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter(training)

        def get_next(self) -> dict[str, npt.NDArray[np.int64]] | None:
            window = next(self._left, None)
            if window is None:
                return None
            ids, mask = as_input(window)
            return {"input_ids": ids.astype(np.int64), "attention_mask": mask.astype(np.int64)}

    with _without_remarks(), replacing(path) as temporary:
        quantize_static(
            plain,
            temporary,
            Windows(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )

"""The network in OpenVINO, where that package is installed (``pip install '.[study]'``)."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from model_artifacts.pipeline.study.variant import Network, Variant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt


def installed() -> bool:
    """Say whether OpenVINO can be imported."""
    return find_spec("openvino") is not None


def open_core() -> Any:  # noqa: ANN401 -- openvino.Core, which need not be installed
    """Start OpenVINO, silent.

    Its import reports to its makers through ``openvino-telemetry``, which pip installs with it; where that cannot be imported, a stub
    of its own stands in.
    """
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    from openvino import Core  # noqa: PLC0415 -- optional

    return Core()


def _opener(path: Path, precision: str | None) -> Callable[[], Network]:
    def load() -> Network:
        settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
        if precision:
            settings["INFERENCE_PRECISION_HINT"] = precision
        core = open_core()
        compiled = core.compile_model(core.read_model(path), "CPU", settings)
        request = compiled.create_infer_request()
        wide = compiled.inputs[0].element_type.to_dtype() == np.int64

        def run(ids: npt.NDArray[Any], mask: npt.NDArray[Any]) -> npt.NDArray[Any]:
            kind = np.int64 if wide else np.int32
            found = request.infer([ids.astype(kind, copy=False), mask.astype(kind, copy=False)])
            logits: npt.NDArray[Any] = np.array(found[0])
            return logits

        return run

    return load


def openvino_variants(*, exported: Path, qdq: Path) -> list[Variant]:
    """Give them; OpenVINO reads both files as they are.

    Parameters
    ----------
    exported : Path
        The float32 file of the step `export`.
    qdq : Path
        The static INT8 file of `onnx_family.write_qdq`.
    """
    return [
        Variant(name="OpenVINO fp32", family="OpenVINO", file=exported, load=_opener(exported, "f32")),
        Variant(
            name="OpenVINO as it comes",
            family="OpenVINO",
            file=exported,
            load=_opener(exported, None),
            note="It chooses the precision: bfloat16 on a CPU that multiplies it, float32 elsewhere.",
        ),
        Variant(
            name="OpenVINO INT8, static",
            family="OpenVINO",
            file=qdq,
            load=_opener(qdq, "f32"),
            note="The QDQ file; what is not quantized runs in float32.",
        ),
    ]

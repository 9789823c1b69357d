"""The network in torch: as it was trained, traced and frozen, and with torch's own dynamic INT8."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch

from model_artifacts.pipeline.files import replacing
from model_artifacts.pipeline.states import load_network
from model_artifacts.pipeline.study.variant import Network, Variant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt


def _runner(module: Callable[..., torch.Tensor]) -> Network:
    def run(ids: npt.NDArray[Any], mask: npt.NDArray[Any]) -> npt.NDArray[Any]:
        with torch.inference_mode():
            logits: npt.NDArray[Any] = module(
                torch.from_numpy(ids).long(), torch.from_numpy(mask).long()
            ).numpy()
        return logits

    return run


def torch_variants(*, weights: Path, layers: int, out: Path) -> list[Variant]:
    """Make them.

    Parameters
    ----------
    weights : Path
        The state dict that `train` wrote.
    out : Path
        Folder for their files.
    """
    network = load_network(weights, layers)
    example = torch.full((1, 16), 1000), torch.ones(1, 16, dtype=torch.long)
    scripted, bytes_ = out / "torchscript.pt", out / "torch_int8.pt"
    # Both are called deprecated by the release that runs them; they are what people have in service.
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        if not scripted.is_file():
            with replacing(scripted) as temporary:
                frozen = torch.jit.freeze(torch.jit.trace(network, example))  # type: ignore[no-untyped-call]
                torch.jit.save(frozen, temporary)
        quantize = torch.ao.quantization.quantize_dynamic
        quantized = quantize(network, {torch.nn.Linear}, torch.qint8)  # type: ignore[no-untyped-call]
        if not bytes_.is_file():
            with replacing(bytes_) as temporary:
                torch.save(quantized.state_dict(), temporary)

    def traced() -> Network:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _runner(torch.jit.load(scripted))  # type: ignore[no-untyped-call]

    return [
        Variant(name="torch fp32", family="torch", file=weights, load=lambda: _runner(network)),
        Variant(name="TorchScript fp32", family="torch", file=scripted, load=traced),
        Variant(
            name="torch INT8, dynamic",
            family="torch",
            file=bytes_,
            load=lambda: _runner(quantized),
            note=f"torch's engine {torch.backends.quantized.engine}; the embeddings stay in float32.",
        ),
    ]


def write_plain_onnx(*, weights: Path, layers: int, path: Path) -> None:
    """Export with torch's tracing exporter: standard operators only, which every runtime and quantizer reads."""
    network = load_network(weights, layers)
    example = torch.full((1, 16), 1000), torch.ones(1, 16, dtype=torch.long)
    axes = {0: "batch", 1: "tokens"}
    with warnings.catch_warnings(), replacing(path) as temporary:
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            example,
            str(temporary),
            dynamo=False,
            opset_version=17,
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": {0: "batch"}},
        )

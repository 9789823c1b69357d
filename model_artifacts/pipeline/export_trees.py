"""Step 3 of the tree model, export: XGBoost's trees -> one ONNX tree ensemble, proven equal to XGBoost.

ONNX Runtime then serves both models, and the image holds no xgboost. A split is the same float32 comparison in both
(``x < threshold``), and a missing value takes the same branch, so the two differ by the order of a sum at most.
https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleRegressor.html
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
import xgboost
from onnx import TensorProto, helper

from genre_model.bag import dense_bags
from genre_model.labels import GENRES
from genre_model.runtime import onnxruntime
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.examples import Examples
from model_artifacts.pipeline.files import replacing, sha256, write_json
from model_artifacts.pipeline.trees import BOOSTER, bags

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

TREES_NAME: Final = "model.onnx"
TOLERANCE: Final = 1e-4
"""Largest difference of a probability between XGBoost and ONNX Runtime."""
_COMPARED: Final = 512


class _Ensemble:
    """The attributes of ``TreeEnsembleRegressor``, filled tree by tree."""

    def __init__(self) -> None:
        self.nodes: dict[str, list[Any]] = {
            f"nodes_{name}": []
            for name in (
                "treeids",
                "nodeids",
                "featureids",
                "modes",
                "values",
                "truenodeids",
                "falsenodeids",
                "missing_value_tracks_true",
            )
        }
        self.leaves: dict[str, list[Any]] = {
            f"target_{name}": [] for name in ("treeids", "nodeids", "ids", "weights")
        }

    def add(self, tree: int, label: int, node: dict[str, Any]) -> None:
        """Append one node of XGBoost's JSON dump and all below it."""
        if "leaf" in node:
            self._node(tree, node["nodeid"], 0, "LEAF", 0.0, 0, 0, missing_true=False)
            for name, value in zip(self.leaves, (tree, node["nodeid"], label, node["leaf"]), strict=True):
                self.leaves[name].append(value)
            return
        self._node(
            tree,
            node["nodeid"],
            int(node["split"][1:]),
            "BRANCH_LT",
            node["split_condition"],
            node["yes"],
            node["no"],
            missing_true=node["missing"] == node["yes"],
        )
        for child in node["children"]:
            self.add(tree, label, child)

    def _node(
        self,
        tree: int,
        node: int,
        feature: int,
        mode: str,
        value: float,
        yes: int,
        no: int,
        *,
        missing_true: bool,
    ) -> None:
        values = (tree, node, feature, mode, value, yes, no, int(missing_true))
        for name, entry in zip(self.nodes, values, strict=True):
            self.nodes[name].append(entry)


def build_ensemble(booster: xgboost.Booster, bins: int) -> onnx.ModelProto:
    """Write a booster as ONNX.

    Parameters
    ----------
    booster : Booster
        18 outputs, one tree per output and round, base score 0.
    bins : int
        Columns of its input.

    Returns
    -------
    ModelProto
        Input ``bags``, float32 ``[batch, bins]``, NaN where missing; output ``logits``, float32 ``[batch, 18]``.
    """
    ensemble = _Ensemble()
    for number, dump in enumerate(booster.get_dump(dump_format="json")):
        ensemble.add(number, number % len(GENRES), json.loads(dump))
    attributes: dict[str, Any] = {**ensemble.nodes, **ensemble.leaves}
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["bags"],
        ["logits"],
        "trees",
        domain="ai.onnx.ml",
        n_targets=len(GENRES),
        aggregate_function="SUM",
        post_transform="NONE",
        **attributes,
    )
    model = helper.make_model(
        helper.make_graph(
            [node],
            "genre-xgboost",
            [helper.make_tensor_value_info("bags", TensorProto.FLOAT, ["batch", bins])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(GENRES)])],
        ),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)],
        ir_version=8,
        producer_name="trending-now",
    )
    onnx.checker.check_model(model)
    return model


def export_trees(*, prepared: Path, trained: Path, out: Path, bins: int) -> None:
    """Run the step.

    Parameters
    ----------
    prepared, trained : Path
        Folders of the steps `prepare` and `train`.
    out : Path
        The step's folder; gets ``model.onnx`` and ``export.json``.
    bins : int
        Columns of a hashed bag.

    Raises
    ------
    StepError
        If the booster is missing, or ONNX Runtime's probabilities differ from XGBoost's.
    """
    path = trained / BOOSTER
    try:
        booster = xgboost.Booster(model_file=bytearray(path.read_bytes()))
    except (OSError, xgboost.core.XGBoostError) as error:
        message = f"{path} is missing or damaged ({error}): run the step `train`"
        raise StepError(message) from error
    with replacing(out / TREES_NAME) as temporary:
        onnx.save(build_ensemble(booster, bins), temporary)
    examples = Examples.load(prepared / "validation.npz")
    difference = largest_difference(booster, out / TREES_NAME, examples, bins)
    if not difference <= TOLERANCE:
        message = f"ONNX differs from XGBoost by {difference:.2e} in a probability, more than {TOLERANCE}"
        raise StepError(message)
    logger.info("exported; largest difference of a probability to XGBoost: %.1e", difference)
    write_json(
        out / "export.json",
        {
            "input": {path.name: sha256(path)},
            "onnx": onnx.__version__,
            "largest_difference_to_xgboost": difference,
            "size": (out / TREES_NAME).stat().st_size,
        },
    )


def largest_difference(booster: xgboost.Booster, path: Path, examples: Examples, bins: int) -> float:
    """Compare native and ONNX probabilities on the first texts, and on an empty one."""
    rows = range(min(_COMPARED, len(examples.texts)))
    dense = dense_bags([*(examples.texts[row].tolist() for row in rows), []], bins)
    sparse = bags(examples, bins)[: len(rows)]
    sparse.resize(len(rows) + 1, bins)
    native = booster.predict(xgboost.DMatrix(sparse), output_margin=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"bags": dense})
    return float(np.abs(np.tanh(found / 2) - np.tanh(native / 2)).max() / 2)

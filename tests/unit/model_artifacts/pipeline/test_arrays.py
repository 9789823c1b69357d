"""A NumPy file that is missing or damaged anywhere is a sentence which names the step that makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from model_artifacts.pipeline.arrays import load_array, load_arrays
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.examples import Examples
from tests.support.damage import damaged

if TYPE_CHECKING:
    from pathlib import Path


def test_the_named_arrays_come_back(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(3), y=np.ones(2), z=np.zeros(1))

    arrays = load_arrays(tmp_path / "a.npz", ("x", "y"), "prepare")

    assert arrays.keys() == {"x", "y"}
    assert arrays["x"].tolist() == [0, 1, 2]


@pytest.mark.filterwarnings("ignore")  # NumPy warns of some of the headers that it cannot parse
def test_damage_is_a_step_error_or_leaves_the_file_readable(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(3))
    np.save(tmp_path / "a.npy", np.arange(3))
    packed, plain = [], []

    for content in damaged((tmp_path / "a.npz").read_bytes()):
        (tmp_path / "b.npz").write_bytes(content)
        try:
            load_arrays(tmp_path / "b.npz", ("x",), "prepare")
        except StepError as error:
            packed.append(str(error))
    for content in damaged((tmp_path / "a.npy").read_bytes()):
        (tmp_path / "b.npy").write_bytes(content)
        try:
            load_array(tmp_path / "b.npy", "wide")
        except StepError as error:
            plain.append(str(error))

    assert min(len(packed), len(plain)) > 100
    assert all(sentence.endswith("run the step `prepare`") for sentence in packed)
    assert all(sentence.endswith("run the step `wide`") for sentence in plain)


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04", None])
def test_examples_that_cannot_be_read_name_the_step_that_makes_them(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "train.npz").write_bytes(content)

    with pytest.raises(StepError, match=r"train\.npz is missing or damaged .*: run the step `prepare`"):
        Examples.load(tmp_path / "train.npz")


def test_an_array_that_is_not_there_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", owner=np.zeros(1))

    with pytest.raises(StepError, match="text_tokens"):
        Examples.load(tmp_path / "train.npz")

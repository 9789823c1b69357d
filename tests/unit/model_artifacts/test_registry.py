from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from model_artifacts.registry import ROOT, Registry, RegistryError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    registry = Registry(tmp_path, {}).with_version("genre-bert", "0.1.0", {"files": {}})
    registry.with_version("genre-bert", "0.2.0", {"files": {}}).save()
    (tmp_path / "genre-bert" / "0.1.0").mkdir(parents=True)
    return tmp_path


def test_the_first_version_becomes_champion_and_later_ones_do_not(root: Path) -> None:
    registry = Registry.load(root)

    assert registry.version("genre-bert") == "0.1.0"
    assert registry.version("genre-bert", "0.2.0") == "0.2.0"
    assert registry.resolve("genre-bert") == root / "genre-bert" / "0.1.0"


def test_saving_leaves_one_file_and_reads_back(root: Path) -> None:
    before = Registry.load(root)
    before.save()

    assert Registry.load(root) == before
    assert [path.name for path in root.glob("*.*")] == ["registry.json"]
    assert [path for path in root.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("model", "reference", "sentence"),
    [
        ("genre-gpt", "champion", "no model 'genre-gpt'; it has: genre-bert"),
        ("genre-bert", "challenger", "no version or alias 'challenger'; it has: champion, 0.1.0, 0.2.0"),
        ("genre-bert", "0.2.0", "its folder .* is missing"),
    ],
)
def test_what_is_not_there_is_named(root: Path, model: str, reference: str, sentence: str) -> None:
    with pytest.raises(RegistryError, match=sentence):
        Registry.load(root).resolve(model, reference)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read: No such file"),
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"{}", "does not have the shape"),
        (b"[]", "does not have the shape"),
        (b'{"models": {"m": {"versions": {}}}}', "does not have the shape"),
        (b'{"models": {"m": {"versions": {}, "aliases": {"champion": "1.0.0"}}}}', "which is not registered"),
    ],
)
def test_a_damaged_registry_is_refused(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / "registry.json").write_bytes(content)

    with pytest.raises(RegistryError, match=sentence):
        Registry.load(tmp_path)


def test_the_committed_registry_names_the_files_that_are_committed() -> None:
    registry = Registry.load()

    for name, model in registry.models.items():
        for version, record in model["versions"].items():
            manifest = json.loads((ROOT / name / version / "manifest.json").read_text())
            digests = {file: entry["sha256"] for file, entry in manifest["files"].items()}
            assert digests.items() <= record["files"].items()

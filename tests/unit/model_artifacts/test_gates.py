from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from typer.testing import CliRunner

from cdk.cli.models import app
from model_artifacts import gates
from model_artifacts.gates import PromotionRefusedError, check_gates, measured_slowdown, promote
from model_artifacts.pipeline.files import sha256
from model_artifacts.registry import Registry, RegistryError
from tests.support.artifacts import write_tiny_artifact, write_tiny_wide_artifact

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from genre_model import Document, GenreModel


def add(registry: Registry, version: str, *, data: str = "same", **metrics: Any) -> Registry:
    """Register a tiny artifact with these figures."""
    folder = write_tiny_artifact(registry.root / "tiny" / version, version=version)
    (folder / "MODEL_CARD.md").write_text(f"# tiny {version}\n")
    figures = {
        "micro_f1": 0.6,
        "macro_f1": 0.5,
        "mean_average_precision": 0.5,
        "expected_calibration_error": 0.01,
        "network_size": 1000,
        "int8_loss": {"micro_f1": 0.001, "macro_f1": 0.001},
        **metrics,
    }
    record = {
        "files": {p.name: sha256(p) for p in folder.iterdir() if p.name != "MODEL_CARD.md"},
        "metrics": figures,
        "lineage": {"evaluated_on": {"sha256": data}},
    }
    return registry.with_version("tiny", version, record)


@pytest.fixture(autouse=True)
def _as_fast_as_the_champion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "measured_slowdown", lambda *_: 1.0)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    first = add(Registry(tmp_path, {}), "1.0.0")
    first.save()
    return first


def test_a_better_version_is_promoted_and_can_be_taken_back(registry: Registry) -> None:
    better = add(registry, "1.1.0", micro_f1=0.65, macro_f1=0.55)

    promoted, passed = promote(better, "tiny", "1.1.0")

    assert {gate.name for gate in passed} == {
        "artifact", "calibration", "card", "int8 macro_f1", "int8 micro_f1", "latency", "macro_f1", "micro_f1", "size",
    }  # fmt: skip
    assert promoted.version("tiny") == "1.1.0"
    assert promoted.rolled_back("tiny").version("tiny") == "1.0.0"
    assert promoted.rolled_back("tiny").rolled_back("tiny").version("tiny") == "1.1.0"


@pytest.mark.parametrize(
    ("metrics", "reason"),
    [
        ({"micro_f1": 0.59}, r"micro_f1: 0\.5900, at least 0\.5980 \(champion 1\.0\.0, not held out\)"),
        ({"macro_f1": 0.40}, r"macro_f1: 0\.4000, at least 0\.4980"),
        ({"int8_loss": {"micro_f1": 0.004, "macro_f1": 0}}, r"int8 micro_f1: 0\.004, at most 0\.003"),
        ({"int8_loss": {"micro_f1": 0.001}}, "int8 macro_f1: was not measured"),
        ({"int8_loss": {}}, "int8 micro_f1: was not measured"),
        ({"expected_calibration_error": 0.031}, r"calibration: 0\.031, at most 0\.03"),
        ({"expected_calibration_error": None}, "calibration: was not measured"),
        ({"network_size": 25_000_001}, "size: 2.5e"),
        ({"artifact_size": 25_000_001}, "size: 2.5e"),
        ({"data": "other"}, "quality: measured on other titles than the champion"),
    ],
)
def test_a_version_that_fails_a_gate_is_refused_with_the_reason(
    registry: Registry, metrics: dict[str, Any], reason: str
) -> None:
    with pytest.raises(PromotionRefusedError, match=rf"tiny 1\.1\.0 is not promoted: .*{reason}"):
        promote(add(registry, "1.1.0", **metrics), "tiny", "1.1.0")


def test_figures_within_the_noise_of_the_champion_pass(registry: Registry) -> None:
    promote(add(registry, "1.1.0", micro_f1=0.5985), "tiny", "1.1.0")


def test_figures_of_titles_that_took_no_part_count_where_both_have_them(registry: Registry) -> None:
    other: dict[str, Any] = {"held_out": {"micro_f1": 0.55, "macro_f1": 0.45}}
    closer: dict[str, Any] = {"held_out": {"micro_f1": 0.53, "macro_f1": 0.45}, "micro_f1": 0.7}
    one_has_them = add(registry, "1.1.0", **closer)
    both_have_them = add(add(registry, "1.0.0", **other), "1.1.0", **closer)

    promote(one_has_them, "tiny", "1.1.0")
    with pytest.raises(
        PromotionRefusedError, match=r"micro_f1: 0\.5300, at least 0\.5480 \(champion 1\.0\.0, held out\)"
    ):
        promote(both_have_them, "tiny", "1.1.0")


@pytest.mark.parametrize(
    ("part", "reasons"),
    [
        ("metrics", ["size: was not measured", "micro_f1: was not measured", "int8 macro_f1: was not"]),
        ("lineage", ["quality: the titles that it or the champion 1.0.0 was measured on are not on record"]),
        ("files", ["artifact: the digests of its files are not on record"]),
    ],
)
def test_a_record_that_lacks_a_part_fails_the_gates_that_need_it(
    registry: Registry, part: str, reasons: list[str]
) -> None:
    other = add(registry, "1.1.0")
    del other.models["tiny"]["versions"]["1.1.0"][part]

    with pytest.raises(PromotionRefusedError) as refused:
        promote(other, "tiny", "1.1.0")

    assert all(reason in str(refused.value) for reason in reasons)


@pytest.mark.parametrize("part", ["metrics", "lineage"])
def test_a_champion_without_figures_cannot_be_compared_with(registry: Registry, part: str) -> None:
    other = add(registry, "1.1.0")
    del other.models["tiny"]["versions"]["1.0.0"][part]

    with pytest.raises(PromotionRefusedError, match=r"champion 1\.0\.0"):
        promote(other, "tiny", "1.1.0")


def test_a_damaged_champion_is_in_nobodys_way(registry: Registry) -> None:
    other = add(registry, "1.1.0")
    (registry.root / "tiny" / "1.0.0" / "model.onnx").write_bytes(b"")

    _, passed = promote(other, "tiny", "1.1.0")

    (latency,) = [gate for gate in passed if gate.name == "latency"]
    assert "not compared, the champion 1.0.0 cannot be loaded" in latency.detail


def test_the_table_of_a_wide_part_is_checked_like_the_other_files(registry: Registry) -> None:
    other = add(registry, "1.1.0")
    folder = write_tiny_wide_artifact(registry.root / "tiny" / "1.1.0", version="1.1.0")
    record = other.models["tiny"]["versions"]["1.1.0"]
    record["files"] = {p.name: sha256(p) for p in folder.iterdir() if p.name != "MODEL_CARD.md"}
    assert "wide.bin" in record["files"]
    assert promote(other, "tiny", "1.1.0")[0].version("tiny") == "1.1.0"

    (folder / "wide.bin").write_bytes((folder / "wide.bin").read_bytes()[::-1])

    with pytest.raises(PromotionRefusedError, match=r"artifact: .*wide\.bin differs from the manifest"):
        promote(other, "tiny", "1.1.0")


def test_a_missing_card_a_changed_file_and_a_damaged_artifact_are_refused(registry: Registry) -> None:
    other = add(registry, "1.1.0")
    folder = registry.root / "tiny" / "1.1.0"
    (folder / "MODEL_CARD.md").unlink()
    with pytest.raises(PromotionRefusedError, match=r"card: .*MODEL_CARD\.md is missing"):
        promote(other, "tiny", "1.1.0")
    (folder / "MODEL_CARD.md").write_bytes(b"# tiny 1.1.0 \xff")
    with pytest.raises(PromotionRefusedError, match=r"card: .*MODEL_CARD\.md is missing or no text"):
        promote(other, "tiny", "1.1.0")
    (folder / "MODEL_CARD.md").write_text("# tiny 1.0.0")
    with pytest.raises(PromotionRefusedError, match=r"card: .* does not speak of tiny 1\.1\.0"):
        promote(other, "tiny", "1.1.0")
    (folder / "MODEL_CARD.md").write_text("# tiny 1.1.0")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "thresholds": [0.6] * 18}))
    with pytest.raises(PromotionRefusedError, match=r"manifest\.json is not the file that was registered"):
        promote(other, "tiny", "1.1.0")
    (folder / "model.onnx").write_bytes(b"")
    with pytest.raises(PromotionRefusedError, match=r"artifact: .*model\.onnx has 0 bytes"):
        promote(other, "tiny", "1.1.0")


def test_the_shipped_champions_pass_their_own_gates() -> None:
    registry = Registry.load()
    for model in registry.models:
        assert [gate for gate in check_gates(registry, model, "champion") if not gate.passed] == []


def test_every_registered_version_has_the_files_that_were_registered() -> None:
    registry = Registry.load()
    for model, entry in registry.models.items():
        for version, record in entry["versions"].items():
            gate = gates._digests(registry.resolve(model, version), record)
            assert gate.passed, gate.detail


def test_the_commands_change_the_registry_or_leave_it(registry: Registry) -> None:
    add(add(registry, "1.1.0", micro_f1=0.7), "1.2.0", micro_f1=0.1).save()
    runner, option = CliRunner(), ["--registry", str(registry.root)]

    done = runner.invoke(app, ["promote", "tiny", "1.1.0", *option])
    assert (done.exit_code, Registry.load(registry.root).version("tiny")) == (0, "1.1.0")
    assert "tiny 1.1.0 is champion" in done.output
    refused = runner.invoke(app, ["promote", "tiny", "1.2.0", *option])
    assert isinstance(refused.exception, PromotionRefusedError)
    assert Registry.load(registry.root).version("tiny") == "1.1.0"
    runner.invoke(app, ["rollback", "tiny", *option])
    assert Registry.load(registry.root).version("tiny") == "1.0.0"
    shown = runner.invoke(app, ["show", "tiny", "previous", *option])
    assert json.loads(shown.output)["version"] == "1.1.0"


def test_without_another_champion_there_is_nothing_to_go_back_to(registry: Registry) -> None:
    with pytest.raises(RegistryError, match=r"no other champion than 1\.0\.0"):
        registry.rolled_back("tiny")


def test_a_slower_version_is_refused(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "measured_slowdown", lambda *_: 1.51)
    with pytest.raises(PromotionRefusedError, match=r"latency: 1\.51 times the champion's, at most 1\.5"):
        promote(add(registry, "1.1.0"), "tiny", "1.1.0")


def test_a_version_is_not_measured_against_itself(registry: Registry) -> None:
    names = {gate.name for gate in check_gates(registry, "tiny", "champion")}
    assert "latency" not in names
    assert "micro_f1" not in names


class Costly:
    """A model whose answers take known times, on a clock of its own."""

    def __init__(self, clock: list[float], costs: list[float]) -> None:
        self._clock = clock
        self._costs = iter(costs)

    def predict(self, documents: Sequence[Document]) -> None:
        assert [document.text for document in documents] == [gates._PLOT]
        self._clock[0] += next(self._costs)


def slowdown(ours: list[float], theirs: list[float]) -> float:
    clock = [0.0]
    pair = (cast("GenreModel", Costly(clock, costs)) for costs in (ours, theirs))
    return measured_slowdown(*pair, clock=lambda: clock[0])


def test_the_slowdown_is_ours_to_theirs_however_fast_the_machine_is_meanwhile() -> None:
    machine = [1.0] * 5 + [20.0] * 6 + [3.0] * 5

    assert slowdown([3 * seconds for seconds in machine], [2 * seconds for seconds in machine]) == 1.5


def test_the_first_round_and_single_hiccups_do_not_count() -> None:
    assert slowdown([0.125] + [1.0] * 7 + [2.0] * 8, [1.0] * 16) == 2.0
    assert slowdown([1.0] * 16, [1.0, 1.0, 500.0, *[1.0] * 13]) == 1.0

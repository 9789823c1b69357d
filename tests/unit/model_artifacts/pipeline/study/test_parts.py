"""The study's pure parts: pruning, sampling, which rounds count, and what is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from model_artifacts.pipeline.study.memory import digest, remembered
from model_artifacts.pipeline.study.pruned_family import prune
from model_artifacts.pipeline.study.sample import as_input, logits_of, spread
from model_artifacts.pipeline.study.timing import LENGTHS, measure, summary, undisturbed

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from model_artifacts.pipeline.study.variant import Network

MATRICES = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 8), st.integers(1, 8)), elements=st.floats(-9, 9, width=32)
)


@given(MATRICES, st.floats(0, 1))
def test_pruning_takes_the_smallest_and_leaves_the_rest(
    weight: npt.NDArray[np.float32], share: float
) -> None:
    before = weight.copy()

    pruned = prune(weight, share)

    np.testing.assert_array_equal(weight, before)
    zeroed = round(share * weight.size)
    untouched = pruned == weight
    assert (~untouched).sum() <= zeroed <= (pruned == 0).sum()
    if (~untouched).any():
        # Whatever survived is at least as large as the largest that went.
        survivors = np.abs(pruned[pruned != 0])
        assert survivors.size == 0 or survivors.min() >= np.abs(weight[~untouched]).max()


@given(st.integers(1, 10_000), st.integers(1, 500))
def test_a_spread_is_even_and_reaches_both_ends(count: int, wanted: int) -> None:
    chosen = spread(count, wanted)

    assert len(chosen) == min(count, wanted) == len(set(chosen))
    assert chosen == sorted(chosen)
    assert chosen[0] == 0
    assert chosen[-1] < count
    if len(chosen) > 1:
        assert chosen[-1] == count - 1
        assert np.ptp(np.diff(chosen)) <= 2


def test_every_window_runs_alone_and_a_title_is_the_mean_of_its_windows() -> None:
    seen = []

    def network(ids: npt.NDArray[Any], mask: npt.NDArray[Any]) -> npt.NDArray[Any]:
        seen.append((ids.tolist(), mask.tolist()))
        return np.full((1, 18), ids.sum(), np.float32)

    logits = logits_of(network, [[[1, 2], [3]], [[10]]])

    assert logits[:, 0].tolist() == [3.0, 10.0]
    assert seen == [([[1, 2]], [[1, 1]]), ([[3]], [[1]]), ([[10]], [[1]])]
    assert as_input([4, 5])[0].dtype == np.int32


def test_a_round_beside_slow_work_is_dropped_for_everybody() -> None:
    sorts = np.full((10, 2), 1.0)
    sorts[3, 1] = 2.0
    sorts[7, 0] = 1.3

    assert np.flatnonzero(~undisturbed(sorts)).tolist() == [3, 7]


def test_on_a_machine_that_is_never_quiet_all_rounds_count() -> None:
    sorts = np.full((10, 2), 3.0)
    sorts[0] = sorts[1] = 1.0

    assert undisturbed(sorts).all()


def test_factors_are_medians_of_the_ratios_within_rounds() -> None:
    # The second round is five times slower for both: it moves neither factor.
    seconds = np.array([[[0.4, 2.0, 0.4]], [[0.1, 0.5, 0.1]]])

    rows = summary({"seconds": seconds}, ["slow", "quick"], ["slow"], lengths=[64])

    assert rows["quick"]["64"] == {"p50_ms": 100.0, "p99_ms": 492.0, "times_faster_than slow": 4.0}
    assert rows["slow"]["64"]["times_faster_than slow"] == 1.0


def test_in_every_round_each_network_runs_once_at_each_length() -> None:
    calls: list[tuple[str, int]] = []

    def named(name: str) -> Network:
        def network(ids: npt.NDArray[Any], mask: npt.NDArray[Any]) -> npt.NDArray[Any]:
            calls.append((name, ids.shape[1]))
            return np.zeros((1, 18), np.float32)

        return network

    measured = measure({"a": named("a"), "b": named("b")}, rounds=4)

    assert measured["seconds"].shape == (2, len(LENGTHS), measured["rounds_kept"])
    assert 1 <= measured["rounds_kept"] <= measured["rounds"] == 4
    timed = calls[-4 * 2 * len(LENGTHS) :]
    assert sorted(timed) == sorted((name, tokens) for name in "ab" for tokens in LENGTHS for _ in range(4))
    firsts = [timed[turn * 2 * len(LENGTHS)][0] for turn in range(4)]
    assert firsts == ["a", "b", "a", "b"]


def test_what_was_computed_is_read_and_what_is_damaged_is_computed_again(tmp_path: Path) -> None:
    computed: list[int] = []

    def compute() -> list[int]:
        computed.append(1)
        return [len(computed)]

    assert remembered(tmp_path, "key", compute) == [1]
    assert remembered(tmp_path, "key", compute) == [1]
    assert remembered(tmp_path, "other", compute) == [2]
    (tmp_path / "key.json").write_text("[1")
    assert remembered(tmp_path, "key", compute) == [3]


@pytest.mark.parametrize("other", [("a", [[1, 3]]), ("b", [[1, 2]]), ("a", [[1], [2]])])
def test_a_key_depends_on_all_its_parts(other: tuple[object, ...]) -> None:
    assert digest("a", [[1, 2]]) == digest("a", [[1, 2]]) != digest(*other)

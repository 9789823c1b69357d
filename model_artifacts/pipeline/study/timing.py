"""Latency of many variants side by side: interleaved rounds on one thread, with a rule for which rounds count.

In a round every variant runs once at every length, in an order that shifts from round to round. The machine's speed drifts, so
factors are medians of the ratios within rounds. Before and after each round a fixed piece of work (a sort) is timed: a round whose
slower sort took over `SLACK` times the fastest tenth of all sorts was disturbed, and is dropped for all variants alike.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from model_artifacts.pipeline.study.variant import Network

LENGTHS: Final = (32, 64, 128, 256)
"""Tokens of a window."""
SLACK: Final = 1.25
WARM_UPS: Final = 3
_WORD_PIECES: Final = (1_000, 30_000)
_YARDSTICK: Final = np.random.default_rng(1).random(20_000)


def _seconds(call: Any, *arguments: Any) -> float:  # noqa: ANN401 -- any function
    started = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - started


def _sort() -> float:
    return _seconds(np.sort, _YARDSTICK)


def undisturbed(sorts: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Say which rounds count.

    Parameters
    ----------
    sorts : ndarray
        Seconds of the sorts before and after each round, float64 ``[rounds, 2]``.

    Returns
    -------
    ndarray
        bool ``[rounds]``; all of them where fewer than a quarter would count, since the machine is then never quiet.
    """
    kept: npt.NDArray[np.bool_] = sorts.max(axis=1) <= SLACK * np.percentile(sorts, 10)
    return kept if kept.mean() >= 0.25 else np.ones(len(sorts), bool)  # noqa: PLR2004 -- see above


def measure(
    networks: Mapping[str, Network], *, rounds: int, lengths: Sequence[int] = LENGTHS
) -> dict[str, Any]:
    """Time every network.

    Parameters
    ----------
    rounds : int
        How many, at least 1.
    lengths : sequence of int
        Tokens of the windows.

    Returns
    -------
    dict
        ``rounds``, ``rounds_kept`` and ``seconds``, float64 ``[variants, lengths, rounds kept]`` in the mapping's order.
    """
    rng = np.random.default_rng(0)
    inputs = [rng.integers(*_WORD_PIECES, (1, tokens), dtype=np.int32) for tokens in lengths]
    order = list(networks)
    for network in networks.values():
        for ids in inputs:
            for _ in range(WARM_UPS):
                network(ids, np.ones_like(ids))
    seconds = np.empty((len(order), len(inputs), rounds))
    sorts = np.empty((rounds, 2))
    for turn in range(rounds):
        sorts[turn, 0] = _sort()
        for position in range(len(order)):
            which = (position + turn) % len(order)
            for column, ids in enumerate(inputs):
                seconds[which, column, turn] = _seconds(networks[order[which]], ids, np.ones_like(ids))
        sorts[turn, 1] = _sort()
    kept = undisturbed(sorts)
    return {"rounds": rounds, "rounds_kept": int(kept.sum()), "seconds": seconds[:, :, kept]}


def summary(
    measured: dict[str, Any],
    names: Sequence[str],
    references: Sequence[str],
    lengths: Sequence[int] = LENGTHS,
) -> dict[str, dict[str, dict[str, float]]]:
    """Give p50 and p99 in ms and how many times faster than each reference, per variant and length.

    Parameters
    ----------
    measured : dict
        What `measure` gave.
    names : sequence of str
        The variants, in its order.
    references : sequence of str
        Those of them that the others are compared with.
    """
    seconds = measured["seconds"]
    rows: dict[str, dict[str, dict[str, float]]] = {}
    for i, name in enumerate(names):
        rows[name] = {}
        for column, tokens in enumerate(lengths):
            own = seconds[i, column]
            rows[name][str(tokens)] = {
                "p50_ms": round(float(np.median(own)) * 1e3, 3),
                "p99_ms": round(float(np.percentile(own, 99)) * 1e3, 3),
                **{
                    f"times_faster_than {other}": round(
                        float(np.median(seconds[names.index(other), column] / own)), 2
                    )
                    for other in references
                },
            }
    return rows

"""The plots of a report. Each function gives one that draws on a figure; `save` turns that into a PNG without a display."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from genre_model.labels import GENRES
from model_artifacts.pipeline.files import replacing
from model_artifacts.pipeline.metrics import micro_f1

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt
    from matplotlib.figure import Figure

    Draw = Callable[[Figure], None]

LENGTH_BINS: Final = 12
"""Groups of texts by length, equally many texts in each."""
PLOTTED_TOKENS: Final = "64"


def save(draw: Draw, path: Path, size: tuple[float, float]) -> None:
    """Draw into a PNG of ``size`` inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 -- slow import
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})


def training(log: list[dict[str, float]]) -> Draw:
    """Loss by step, and the monitored mean average precision where there is one."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        lines = [line for line in log if line.get("loss") is not None]
        axes.plot([v["step"] for v in lines], [v["loss"] for v in lines], lw=1, label="training loss")
        axes.set(xlabel="step or round", ylabel="binary cross-entropy", title="Training")
        axes.legend(loc="upper right")
        monitored = [line for line in log if "monitor_map" in line]
        if not monitored:
            return
        right = axes.twinx()
        right.plot(
            [v["step"] for v in monitored],
            [v["monitor_map"] for v in monitored],
            "o-",
            color="C1",
            label="monitored mAP",
        )
        right.set_ylabel("mAP of the monitored titles")
        right.legend(loc="center right")

    return draw


def genres(metrics: dict[str, Any]) -> Draw:
    """F1 of every genre, the best on top."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        ranked = sorted(metrics["genres"].items(), key=lambda item: item[1]["f1"])
        axes.barh([name for name, _ in ranked], [value["f1"] for _, value in ranked])
        for row, (_, value) in enumerate(ranked):
            axes.text(value["f1"] + 0.01, row, f"{value['titles']}", va="center", fontsize=8)
        axes.set(xlim=(0, 1), xlabel="F1 (titles that have the genre beside the bar)", title="F1 per genre")

    return draw


def calibration(probabilities: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Draw:
    """How often what is said with a probability is true."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        p, y = probabilities.ravel(), labels.ravel()
        cell = np.minimum((p * 15).astype(int), 14)
        used = [c for c in range(15) if (cell == c).any()]
        axes.plot([0, 1], [0, 1], ls=":", color="grey")
        axes.plot([p[cell == c].mean() for c in used], [y[cell == c].mean() for c in used], "o-")
        axes.set(
            xlabel="mean probability", ylabel="share that has the genre", title="Calibration, all labels"
        )

    return draw


def quality_by_length(
    words: npt.NDArray[Any], selected: npt.NDArray[Any], labels: npt.NDArray[Any]
) -> list[tuple[float, float]]:
    """Group texts by length, equally many in each group.

    Parameters
    ----------
    words : ndarray
        Words of each text, ``[titles]``.
    selected, labels : ndarray
        0 or 1, ``[titles, 18]``.

    Returns
    -------
    list of (float, float)
        Median words and micro-F1 of each group, shortest first; at most `LENGTH_BINS` groups.
    """
    groups = np.array_split(np.argsort(words, kind="stable"), min(LENGTH_BINS, len(words)))
    return [(float(np.median(words[rows])), micro_f1(selected[rows], labels[rows])) for rows in groups]


def lengths(words: npt.NDArray[Any], selected: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Draw:
    """Quality against text length."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        groups = quality_by_length(words, selected, labels)
        axes.plot([max(1.0, count) for count, _ in groups], [value for _, value in groups], "o-")
        axes.set_xscale("log")
        axes.set(
            xlabel=f"words of the text (median of {len(groups)} equally large groups)",
            ylabel="micro-F1",
            title="Quality against text length",
        )
        axes.grid(alpha=0.3)

    return draw


def cooccurrence(true: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Give, for the titles that truly have the row's genre, the share that has the column's in ``other``.

    Parameters
    ----------
    true, other : ndarray
        0 or 1, ``[titles, labels]``.

    Returns
    -------
    ndarray
        float64 ``[labels, labels]``; 0 in the row of a genre that no title has.
    """
    counts = true.astype(np.float64).T @ other.astype(np.float64)
    shares: npt.NDArray[np.float64] = counts / np.maximum(true.sum(0), 1)[:, None]
    return shares


def confusion(selected: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Draw:
    """Which genres titles have together, and where the model says so more or less often."""

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        together = cooccurrence(labels, labels)
        extra = cooccurrence(labels, selected) - together
        apart = ~np.eye(len(GENRES), dtype=bool)
        most, limit = max(0.05, together[apart].max()), max(0.05, np.abs(extra[apart]).max())
        for axes, values, title, shown in (
            (left, together, "Titles of the row's genre that have the column's", ("Blues", 0.0, most)),
            (right, extra, "... and by how much more often it is selected", ("RdBu_r", -limit, limit)),
        ):
            colours, low, high = shown
            image = axes.imshow(values, cmap=colours, vmin=low, vmax=high)
            axes.set_title(title, fontsize=10)
            axes.set_xticks(range(len(GENRES)), GENRES, rotation=90, fontsize=7)
            axes.set_yticks(range(len(GENRES)), GENRES, fontsize=7)
            figure.colorbar(image, ax=axes, shrink=0.7)

    return draw


def compression(study: dict[str, Any]) -> Draw:
    """Quality against latency of every variant of a study."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        families = sorted({variant["family"] for variant in study["variants"]})
        for number, variant in enumerate(study["variants"], start=1):
            x = variant["latency"][PLOTTED_TOKENS]["p50_ms"]
            axes.scatter(
                x,
                variant["micro_f1"],
                s=60 if not variant["shipped"] else 160,
                marker="o" if not variant["shipped"] else "*",
                color=f"C{families.index(variant['family'])}",
                label=f"{number}  {variant['name']}, {variant['size'] / 1e6:.0f} MB",
            )
            axes.annotate(
                str(number), (x, variant["micro_f1"]), (4, 4), textcoords="offset points", fontsize=7
            )
        axes.set_xscale("log")
        axes.set(
            xlabel=f"ms for {PLOTTED_TOKENS} tokens, one thread, p50",
            ylabel=f"micro-F1 on {study['quality']['titles']} titles",
            title="Quality against latency (star: shipped)",
        )
        for plain in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
            plain("{x:g}")
        axes.grid(alpha=0.3, which="both")
        figure.legend(loc="outside right center", fontsize=7)

    return draw

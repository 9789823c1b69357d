"""One picture of a load bench: latency and throughput by concurrency, cost by memory. Must not know how they were measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

SIDES: Final = {"ours": "tab:blue", "transformers": "tab:orange"}
STYLES: Final = ("-", "--", ":")


def plot(result: dict[str, Any], path: Path) -> None:
    """Draw what `load_bench` writes, as PNG."""
    import matplotlib as mpl  # noqa: PLC0415 -- a second to import, and not every caller draws

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, (latency, throughput, cost) = plt.subplots(1, 3, figsize=(15, 4.5))
    texts = list(dict.fromkeys(row["text"] for row in result["load"]))
    for text, style in zip(texts, STYLES, strict=True):
        rows = [row for row in result["load"] if row["text"] == text]
        concurrencies = [row["concurrency"] for row in rows]
        for side, colour in SIDES.items():
            for axis, figure_name in ((latency, "p50_ms"), (throughput, "requests_per_second")):
                values = [row[side][figure_name] for row in rows]
                axis.plot(concurrencies, values, style, marker="o", color=colour, label=f"{side}, {text}")
            priced = [row for row in result["usd_per_million"][side] if row["text"] == text]
            cost.plot(
                [row["memory_mb"] for row in priced],
                [row["on_demand_usd"] for row in priced],
                style,
                marker="o",
                color=colour,
                label=f"{side}, {text}",
            )
    latency.set(title="Median latency", xlabel="requests at once", ylabel="ms", yscale="log")
    throughput.set(title="Throughput", xlabel="requests at once", ylabel="requests per second", yscale="log")
    cost.set(
        title="A million requests on demand, API Gateway included",
        xlabel="memory, MB",
        ylabel="US dollars",
        ylim=(0, None),
    )
    latency.legend(fontsize=8)
    for axis in (latency, throughput, cost):
        axis.grid(visible=True, alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)

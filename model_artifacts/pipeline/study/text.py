"""What a model card says of a study."""

from __future__ import annotations

from typing import Any, Final

STUDY_NAME: Final = "study.json"
_TOKENS: Final = "64"


def study_text(study: dict[str, Any]) -> str:
    """Give the card's section: one row a variant, and what the rows show.

    Parameters
    ----------
    study : dict
        What the step `study` wrote.
    """
    timing = study["timing"]
    rows = [
        f"| {'**' if v['shipped'] else ''}{v['name']}{'**' if v['shipped'] else ''} "
        f"| {v['micro_f1']:.4f} | {v['macro_f1']:.4f} | {v['mean_average_precision']:.4f} "
        f"| {v['logit_rms_to_torch']:.3f} | {v['size'] / 1e6:.1f} | {v['gzip_size'] / 1e6:.1f} "
        f"| {v['latency'][_TOKENS]['p50_ms']:.2f} | {v['latency'][_TOKENS]['p99_ms']:.2f} "
        f"| {v['latency'][_TOKENS]['times_faster_than torch fp32']:.1f} "
        f"| {v['latency'][_TOKENS]['times_faster_than ONNX Runtime fp32']:.1f} |"
        for v in study["variants"]
    ]
    worst = study["sensitivity"]["parts"][:3]
    parts = ", ".join(f"`{part['part']}` ({part['logit_rms']:.3f})" for part in worst)
    left_out = "".join(f" Left out: {sentence}." for sentence in study["left_out"])
    return "\n".join(
        [
            "## Compressed",
            "",
            f"The network alone in every form, on {study['quality']['titles']} validation titles ({study['quality']['rule']}),",
            f"and {_TOKENS} tokens on one thread of {timing['processor']}: {timing['rounds_kept']} of {timing['rounds']} interleaved rounds; "
            f"{timing['rule']}.{left_out}",
            "",
            "| variant | micro-F1 | macro-F1 | mAP | logits off by | MB | MB gzip | p50 ms | p99 ms | x torch | x ORT fp32 |",
            "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
            *rows,
            "",
            "*Logits off by*: root mean square of a logit's difference to torch in float32, the surer sign where F1 differs by less than such a",
            "sample can tell. *x torch*, *x ORT fp32*: how many times faster, median of the ratios within rounds. 32, 128 and 256 tokens: `report/study.json`.",
            "",
            "Pruned weights are zeros that no kernel here skips: they make the file compress better and nothing run faster.",
            f"Quantized alone, these parts change the logits most (root mean square): {parts}.",
            "",
            "![Quality against latency](report/compression.png)",
            "",
            "",
        ]
    )

"""What is written for a row: a result line, or an error line. JSON, one object a line, UTF-8."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.classification.contract import DECIMALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.classification.files.rows import Row, RowError


@dataclass(frozen=True, slots=True)
class ResultFormat:
    """Writes the results of one model. What is selected is decided before a probability is rounded.

    Parameters
    ----------
    labels : sequence of str
        In the model's order.
    thresholds : sequence of float
        One per label; a label is selected if its probability reaches its threshold.
    model, version : str
        Named in every result.
    """

    labels: Sequence[str]
    thresholds: Sequence[float]
    model: str
    version: str

    def line(self, row: Row, probabilities: Sequence[float], *, item_id: str | None = None) -> bytes:
        """Give the result of one row, line end included.

        ``genres`` holds the selected labels, the most probable first; ``scores`` all labels, in the model's order;
        ``item_id`` is there if the row has become an item.

        Raises
        ------
        ValueError
            If there is not one probability per label.
        """
        content: dict[str, object] = {
            "id": row.id,
            "genres": [label for label, _ in self.selected(probabilities)],
            "scores": {
                label: round(probability, DECIMALS)
                for label, probability in zip(self.labels, probabilities, strict=True)
            },
            "model": {"name": self.model, "version": self.version},
        }
        return _json_line(content if item_id is None else {**content, "item_id": item_id})

    def selected(self, probabilities: Sequence[float]) -> list[tuple[str, float]]:
        """Give the selected labels with their probabilities, the most probable first.

        Raises
        ------
        ValueError
            If there is not one probability per label.
        """
        scored = zip(self.labels, probabilities, self.thresholds, strict=True)
        selected = [
            (label, probability) for label, probability, threshold in scored if probability >= threshold
        ]
        return sorted(selected, key=lambda pair: pair[1], reverse=True)


def error_line(error: RowError) -> bytes:
    """Give the record of a row that was not classified, line end included."""
    return _json_line({"row": error.number, "reason": error.reason})


def refusal_line(row: Row, reason: str) -> bytes:
    """Give the record of a row that was classified and has not become an item, line end included."""
    return _json_line({"row": row.number, "id": row.id, "reason": reason})


def _json_line(content: dict[str, object]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

import json

import pytest

from functions.classification.files.results import ResultFormat, error_line, refusal_line
from functions.classification.files.rows import Row, RowError

FORMAT = ResultFormat(("Action", "Drama", "War"), (0.5, 0.5, 0.25), "genre-bert", "1.2.3")


def test_selected_labels_come_by_probability_and_scores_in_the_models_order() -> None:
    line = FORMAT.line(Row(7, id="é", text="a"), [0.5, 0.49999999, 0.75])
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert "é" in line.decode()
    content = json.loads(line)
    assert content == {
        "id": "é",
        "genres": ["War", "Action"],
        "scores": {"Action": 0.5, "Drama": 0.5, "War": 0.75},
        "model": {"name": "genre-bert", "version": "1.2.3"},
    }
    assert list(content["scores"]) == ["Action", "Drama", "War"]


def test_no_label_may_be_selected() -> None:
    assert json.loads(FORMAT.line(Row(1, id="1", text="a"), [0.1, 0.1, 0.1]))["genres"] == []


def test_a_missing_probability_is_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        FORMAT.line(Row(1, id="1", text="a"), [0.1, 0.1])


def test_an_id_with_line_ends_stays_on_one_line() -> None:
    line = FORMAT.line(Row(1, id="a\nb\u2028", text="a"), [0.1, 0.1, 0.1])
    assert line.count(b"\n") == 1
    assert json.loads(line)["id"] == "a\nb\u2028"


def test_an_error_names_row_and_reason() -> None:
    assert json.loads(error_line(RowError(12, "the text is empty"))) == {
        "row": 12,
        "reason": "the text is empty",
    }


def test_a_row_that_became_an_item_names_it_and_one_that_did_not_says_why() -> None:
    row = Row(12, id="a", text="a")
    assert json.loads(FORMAT.line(row, [0.1, 0.1, 0.1], item_id="x"))["item_id"] == "x"
    assert "item_id" not in json.loads(FORMAT.line(row, [0.1, 0.1, 0.1]))
    assert json.loads(refusal_line(row, "an item needs a title")) == {
        "row": 12,
        "id": "a",
        "reason": "an item needs a title",
    }

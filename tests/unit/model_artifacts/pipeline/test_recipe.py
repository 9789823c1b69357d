"""Recipes that cannot work are refused before anything is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_artifacts.pipeline.errors import RecipeError
from model_artifacts.pipeline.recipe import load_recipe

if TYPE_CHECKING:
    from pathlib import Path

HEAD = 'model = "genre-bert"\nversion = "9.9.9"\ndescription = "For a test"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(HEAD + text, encoding="utf-8")
    return path


def test_the_defaults_make_a_recipe(tmp_path: Path) -> None:
    assert load_recipe(written(tmp_path, "")).version == "9.9.9"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[train]\nwindow_tokens = []", r"train\.window_tokens: .*at least 1 item"),
        ("[train]\nwindow_tokens = [2000]", r"train\.window_tokens\.0: .*less than or equal to 512"),
        ("[train]\nwindow_tokens = [64, -5]", r"train\.window_tokens\.1: .*greater than or equal to 16"),
        ("[train]\nshort_tokens = 64", r"short_tokens and short_repeats need each other"),
        ("[train]\nshort_repeats = 2", r"short_tokens and short_repeats need each other"),
        ("[train]\nseed = -1", r"train\.seed: .*greater than or equal to 0"),
        ("[train]\nepoch = 2", r"train\.epoch: .*not permitted"),
        ("[serve]\nwindow_tokens = 32", r"prepare\.max_title_tokens takes more than half"),
        (
            '[distil]\nteacher = "genre-bert-0.1.0"\nstart_layers = [0, 1]',
            r"distil\.start_layers must name 6",
        ),
        ("[joint]\nwindows = 2", r"joint needs a section wide"),
        ("[wide]\n[joint]\nfolds = 1", r"joint\.folds: .*greater than or equal to 2"),
        ("[teacher]", r"teacher and answers_share need each other"),
        ("answers_share = 0.5", r"teacher and answers_share need each other"),
        ("answers_share = 1.5\n[teacher]", r"answers_share: .*less than or equal to 1"),
        ("answers_share = 0.5\n[teacher]\nwide_weight = 0.1", r"teacher\.wide_weight needs a section joint"),
        (
            'answers_share = 0.5\n[teacher]\nbase = "all-MiniLM-L6-v2"',
            r"teacher\.layers is more than the 6 of all-MiniLM-L6-v2",
        ),
        (
            'answers_share = 0.5\n[teacher]\n[distil]\nteacher = "genre-bert-0.1.0"\nstart_layers = [0, 1, 2, 3, 4, 5]',
            r"distil\.soft_share must be 0",
        ),
        (
            "answers_share = 0.5\n[teacher.train]\nwindow_tokens = [32, 36]",
            r"max_title_tokens takes more than half of the longest of teacher\.train\.window_tokens",
        ),
        ("[train", r"not valid TOML"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused_with_the_field(
    tmp_path: Path, text: str, sentence: str
) -> None:
    with pytest.raises(RecipeError, match=sentence):
        load_recipe(written(tmp_path, text))


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.toml: No such file"):
        load_recipe(tmp_path / "none.toml")

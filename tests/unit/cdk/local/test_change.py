"""What a version can be: models, a folder with code, variables; everything else is refused with a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cdk.local.change import Change
from cdk.local.errors import RolloutError
from tests.support.local import ROOT, a_function

if TYPE_CHECKING:
    from cdk.service import Function

TWO = a_function(models=("genre-bert", "genre-xgboost"))
ONE = a_function(models=("genre-bert",))
NONE = a_function()


def test_models_code_and_variables() -> None:
    change = Change.parse(TWO, ["genre-bert=0.2.0", str(ROOT), "genre-xgboost=challenger"], {"A": "=1"})
    assert change == Change(
        models={"genre-bert": "0.2.0", "genre-xgboost": "challenger"}, code=ROOT, environment={"A": "=1"}
    )
    assert change.description == f"genre-bert=0.2.0, genre-xgboost=challenger, code of {ROOT}, with A"
    assert Change.from_json(change.to_json()) == change


def test_a_bare_version_is_that_of_the_only_model() -> None:
    assert Change.parse(ONE, ["0.2.0"], {}) == Change(models={"genre-bert": "0.2.0"})


def test_nothing_is_the_checkout() -> None:
    assert Change.parse(ONE, [], {}) == Change()
    assert Change().description == "checkout"


@pytest.mark.parametrize(
    ("function", "versions", "environment", "sentence"),
    [
        (
            TWO,
            ["0.2.0"],
            {},
            "no folder with code; for a model of echo write genre-bert=0.2.0 or genre-xgboost=0.2.0",
        ),
        (NONE, ["0.2.0"], {}, "'0.2.0' is no folder with code, and function echo has no model"),
        (ONE, ["genre-xgboost=1"], {}, "function echo has no model 'genre-xgboost'; it has: genre-bert"),
        (ONE, ["genre-bert="], {}, "names no version; write genre-bert=VERSION"),
        (ONE, ["1", "genre-bert=2"], {}, "a version has one genre-bert, not both 1 and 2"),
        (ONE, [str(ROOT), str(ROOT)], {}, "a version has one folder of code"),
        (ONE, ["/nonexistent"], {}, "/nonexistent holds no tests/support/handlers/echo.py"),
        (ONE, [], {"A B": ""}, "'A B' is not the name of an environment variable"),
    ],
)
def test_what_makes_no_version_is_refused(
    function: Function, versions: list[str], environment: dict[str, str], sentence: str
) -> None:
    with pytest.raises(RolloutError, match=sentence):
        Change.parse(function, versions, environment)


def test_a_handler_may_be_a_package(tmp_path: Path) -> None:
    package = tmp_path / "tests" / "support" / "handlers" / "echo"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    assert Change.parse(NONE, [str(tmp_path)], {}).code == Path(tmp_path)

"""Branches are counted by package, and one package's plenty makes up for no other's want."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.branches import Count, count, main, measured, too_few

if TYPE_CHECKING:
    from pathlib import Path


def a_file(taken: int, of: int, lines: int = 10) -> dict[str, dict[str, int]]:
    summary = {"num_branches": of, "covered_branches": taken, "num_statements": lines, "covered_lines": lines}
    return {"summary": summary}


REPORT = {
    "files": {
        "layers/core/python/trending_core/decay.py": a_file(10, 10),
        "layers/genre/python/genre_model/model.py": a_file(0, 0),
        "functions/trending/service.py": a_file(9, 10, lines=100),
        "functions/enrichment/gemini.py": a_file(8, 10),
        "cdk/app.py": a_file(9, 10),
        "model_artifacts/registry.py": a_file(1, 1),
    }
}


def written(folder: Path) -> str:
    path = folder / "report.json"
    path.write_text(json.dumps(REPORT))
    return str(path)


def test_files_are_added_up_by_package_wherever_it_lies() -> None:
    assert count(REPORT) == {
        "cdk": Count(branches=10, branches_taken=9, lines=10, lines_taken=10),
        "functions": Count(branches=20, branches_taken=17, lines=110, lines_taken=110),
        "genre_model": Count(lines=10, lines_taken=10),
        "model_artifacts": Count(branches=1, branches_taken=1, lines=10, lines_taken=10),
        "trending_core": Count(branches=10, branches_taken=10, lines=10, lines_taken=10),
    }


@pytest.mark.parametrize(("floor", "named"), [(85, []), (85.1, ["functions"]), (100, ["cdk", "functions"])])
def test_a_package_is_named_that_takes_too_few_whatever_the_others_take(
    floor: float, named: list[str]
) -> None:
    assert [sentence.partition(":")[0] for sentence in too_few(count(REPORT), [], floor)] == named


def test_a_package_that_no_test_imports_is_a_fault() -> None:
    sentence = "web: the report holds no file of it; the tests do not import it."
    assert too_few(count(REPORT), ["functions", "web"], 0) == [sentence]


def test_what_is_to_be_measured_stands_in_pyproject() -> None:
    assert measured() == ["trending_core", "genre_model", "functions", "cdk", "model_artifacts"]


def test_the_command_prints_every_package_and_fails_below_the_floor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([written(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert [line.split()[0] for line in printed.out.splitlines()[1:]] == [
        "cdk",
        "functions",
        "genre_model",
        "model_artifacts",
        "trending_core",
    ]
    assert "17 of 20  85.0 %" in printed.out
    assert printed.err == "functions: the tests take 85.0 % of the branches; at least 90 % must be taken.\n"
    assert main([written(tmp_path), "--floor", "85"]) == 0
    assert capsys.readouterr().err == ""

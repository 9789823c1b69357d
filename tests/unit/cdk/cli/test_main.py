"""The command's root: fast help, subcommands on demand, expected errors as one sentence."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest
import typer
from typer.testing import CliRunner

from cdk.cli import lazy, main
from cdk.service import SpecError

HEAVY = ("aiohttp", "boto3", "numpy", "onnxruntime", "tokenizers", "torch", "aws_lambda_powertools")


def test_help_names_every_subcommand_and_imports_none() -> None:
    program = (
        "import sys\n"
        "from cdk.cli.main import app\n"
        "try:\n    app(['--help'], prog_name='trending-now')\n"
        "finally:\n"
        f"    print('loaded', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "loaded []" in done.stdout
    for name in main.MOUNTS:
        assert name in done.stdout


@pytest.mark.parametrize("name", list(main.MOUNTS))
def test_the_line_in_help_is_the_first_sentence_of_the_subcommand_s_own(name: str) -> None:
    mount = main.MOUNTS[name]
    module = mount.target.partition(":")[0]
    if find_spec(module) is None:
        pytest.skip(f"{module} is not there yet")
    help_text = " ".join((lazy.load(name, mount).help or "").split())
    assert help_text.startswith(mount.help.rstrip("."))


def test_a_wrong_name_is_usage_and_offers_the_right_one() -> None:
    result = CliRunner().invoke(main.app, ["serv"])
    assert result.exit_code == 2
    assert "serve" in result.output


@pytest.mark.parametrize("expected", [True, False])
def test_expected_errors_are_a_sentence_and_defects_stay_visible(
    monkeypatch: pytest.MonkeyPatch, expected: bool
) -> None:
    error = SpecError("unknown stage 'x'") if expected else ZeroDivisionError("a defect")

    def fails() -> None:
        raise error

    def load(name: str, mount: lazy.Mount) -> object:
        app = typer.Typer()
        app.command(name)(fails)
        return typer.main.get_command(app)

    monkeypatch.setattr(lazy, "load", load)
    result = CliRunner().invoke(main.app, ["serve"])
    assert result.exit_code == 1
    if expected:
        assert result.stderr == "trending-now: unknown stage 'x'\n"
    else:
        assert result.exception is error

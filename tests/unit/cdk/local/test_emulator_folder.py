"""The emulator's folder: one at a time has it, and only its own files are deleted."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cdk.local.emulator_child import prepare
from cdk.local.emulator_folder import LOCK, LOG, clear, take

if TYPE_CHECKING:
    from pathlib import Path


def test_the_second_one_waits_and_says_so_once(tmp_path: Path) -> None:
    take(tmp_path, wait_s=0)
    said: list[None] = []
    with pytest.raises(TimeoutError, match="another emulator has not left"):
        take(tmp_path, wait_s=0.2, on_wait=lambda: said.append(None))
    assert len(said) == 1


def test_it_is_free_as_soon_as_its_process_has_ended(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from cdk.local.emulator_folder import take
take(Path({str(tmp_path)!r}), wait_s=0)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    take(tmp_path, wait_s=0)


def test_what_earlier_emulators_left_is_deleted_and_nothing_else(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "aws"
    for made in (outside, folder, folder / "state"):
        made.mkdir()
    for file in (outside / "kept", folder / "state" / "sqs.json", folder / "place.json", folder / LOG):
        file.touch()
    (folder / "link").symlink_to(outside)
    take(folder, wait_s=0)
    clear(folder)
    assert {entry.name for entry in folder.iterdir()} == {LOCK, LOG}
    assert (outside / "kept").exists()


def test_a_folder_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"its folder cannot be used: .*No such file"):
        prepare(tmp_path / "missing", fresh=False)

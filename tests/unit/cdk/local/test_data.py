"""The data folder: locked while in use, and only its own files are ever deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cdk.local.data import DataFolder
from cdk.local.errors import ServeError

if TYPE_CHECKING:
    from pathlib import Path


def test_fresh_deletes_what_an_earlier_run_kept_and_nothing_else(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    folder = DataFolder(tmp_path / "data")
    folder.open(fresh=False)
    (folder.path / "state").mkdir()
    (folder.path / "state" / "file").touch()
    (folder.path / "link").symlink_to(outside)
    folder.close()
    folder.open(fresh=False)
    assert (folder.path / "state" / "file").exists()
    folder.close()
    folder.open(fresh=True)
    assert sorted(entry.name for entry in folder.path.iterdir()) == [".trending-now", "logs"]
    assert (outside / "kept").exists()
    folder.close()


def test_fresh_leaves_the_emulator_s_folder_to_the_emulator(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.open(fresh=False)
    folder.emulator.mkdir()
    (folder.emulator / "saved").touch()
    folder.close()
    folder.open(fresh=True)
    assert (folder.emulator / "saved").exists()
    folder.close()


def test_another_s_folder_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    for fresh in (True, False):
        with pytest.raises(ServeError, match="is not a data folder of this service"):
            DataFolder(tmp_path).open(fresh=fresh)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_one_service_at_a_time(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path), DataFolder(tmp_path)
    first.open(fresh=False)
    first.announce({"pid": 1})
    with pytest.raises(ServeError, match="is used by another running service"):
        second.open(fresh=True)
    assert (tmp_path / "service.json").exists()
    first.close()
    second.open(fresh=False)
    second.close()


def test_a_file_in_its_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServeError, match="cannot be used"):
        DataFolder(tmp_path / "file").open(fresh=False)

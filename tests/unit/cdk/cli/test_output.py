import os
from pathlib import Path

import pytest

from cdk.cli.output import OutputError, open_output


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_and_stop(target: Path) -> None:
    with open_output(target) as output:
        output.write(b"new\n")
        raise KeyboardInterrupt


def test_a_file_takes_its_name_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("old and longer")
    with open_output(target) as output:
        output.write(b"new\n")
        output.flush()
        assert target.read_text() == "old and longer"
    assert target.read_text() == "new\n"
    assert names(tmp_path) == ["out"]


def test_what_was_written_before_an_error_is_kept_under_another_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_and_stop(target)
    assert target.read_text() == "old"
    assert (tmp_path / "out.partial").read_text() == "new\n"
    assert capsys.readouterr().err == f"trending-now: what was written so far is in {target}.partial\n"
    with open_output(target) as output:
        output.write(b"again\n")
    assert target.read_text() == "again\n"
    assert names(tmp_path) == ["out"]


def test_an_error_before_the_first_line_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), open_output(tmp_path / "out"):
        raise KeyError
    assert names(tmp_path) == []


def test_two_runs_cannot_write_the_same_file(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with open_output(target) as output:
        output.write(b"first\n")
        with (
            pytest.raises(OutputError, match=r"out\.partial is being written by another run$"),
            open_output(target),
        ):
            pass
    assert target.read_text() == "first\n"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with open_output(tmp_path / "link") as output:
        output.write(b"new\n")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new\n"


def test_a_device_is_written_directly(tmp_path: Path) -> None:
    with open_output(Path(os.devnull)) as output:
        output.write(b"gone\n")
    assert not Path(f"{os.devnull}.partial").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("size", [10, 1_000_000])
def test_a_full_disk_is_one_sentence(size: int) -> None:
    with (
        pytest.raises(OutputError, match=r"^/dev/full cannot be written: No space left on device$"),
        open_output(Path("/dev/full")) as output,
    ):
        output.write(bytes(size))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "cannot be written: it is a folder"),
        ("missing/out", "cannot be written: No such file or directory"),
        ("n" * 300, "cannot be written: File name too long"),
        ("n" * 250, "cannot be written: File name too long"),
    ],
)
def test_an_impossible_target_is_one_sentence(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(OutputError, match=rf"{name} {message}$"), open_output(tmp_path / name):
        pass
    assert names(tmp_path) == []

"""`trending-now classify` as a child process: streams, files, exit codes, signals, memory."""

import csv
import gzip
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genre_model import GENRES, Document, GenreModel

FAKE = [sys.executable, "-m", "tests.support.fake_champion", "classify"]
DEADLINE_S = 240
AGAIN_S = 30
"""A process that a signal reached needs less, however loaded the machine is."""


def run(*arguments: str | Path, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*FAKE, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        check=False,
        timeout=DEADLINE_S,
        env={**os.environ, **environment},
    )


def results(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


def lines_of(path: Path) -> list[dict[str, Any]]:
    return results(path.read_bytes())


def texts(count: int) -> list[str]:
    """Texts of many lengths, with all that CSV has to quote."""
    return [f'{number}: "a, b"\n' + "x" * (number * 37 % 101) for number in range(count)]


def as_csv(rows: list[str]) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(["id", "title", "text"])
    writer.writerows((f"row {number}", "", text) for number, text in enumerate(rows))
    return stream.getvalue().encode()


def as_jsonl(rows: list[str]) -> bytes:
    return b"".join(
        json.dumps({"id": f"row {number}", "text": text}).encode() + b"\n" for number, text in enumerate(rows)
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.csv", as_csv(texts(700))),
        ("in.csv.gz", gzip.compress(as_csv(texts(700)))),
        ("in.jsonl", as_jsonl(texts(700))),
        ("in", gzip.compress(b"\xef\xbb\xbf" + as_jsonl(texts(700)))),
    ],
)
def test_a_good_file_gives_every_row_in_order(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    done = run(tmp_path / name, "-o", tmp_path / "out.jsonl")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    assert done.stderr.startswith(b"700 rows classified by fake-bert 0.0.1; ")
    assert done.stderr.count(b"\n") == 1
    found = lines_of(tmp_path / "out.jsonl")
    assert [line["id"] for line in found] == [f"row {number}" for number in range(700)]
    assert [line["scores"]["Action"] for line in found] == [len(text) % 100 / 100 for text in texts(700)]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "out.jsonl"])


def test_standard_input_to_standard_output() -> None:
    done = run("-", stdin=b'{"text": "a"}\n\n{"text": "bb", "id": 7}\n')
    assert done.returncode == 0
    assert results(done.stdout) == [
        {
            "id": "1",
            "genres": ["Drama"],
            "scores": {"Action": 0.01, "Drama": 1.0},
            "model": {"name": "fake-bert", "version": "0.0.1"},
        },
        {
            "id": "7",
            "genres": ["Drama"],
            "scores": {"Action": 0.02, "Drama": 0.5},
            "model": {"name": "fake-bert", "version": "0.0.1"},
        },
    ]


BAD = b'id,text\r\n1,fine\r\n2\r\n3,"open\r\n4,caf\xe9\r\n5,also fine\r\n6,\r\n'
REASONS = {
    3: "the row has 1 column, the header has 2",
    4: "a quote is opened and not closed as CSV has it",
    5: "line 5 is not UTF-8: its byte 6 is 0xe9",
    7: "the text is empty",
}


def test_unreadable_rows_are_reported_by_line_and_in_the_exit_code(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(BAD)
    done = run(path, "-o", tmp_path / "out")
    assert done.returncode == 3
    assert [line["id"] for line in lines_of(tmp_path / "out")] == ["1", "5"]
    *reports, summary = done.stderr.decode().splitlines()
    assert reports == [f"{path}:{number}: {reason}" for number, reason in REASONS.items()]
    assert summary.startswith("2 rows classified by fake-bert 0.0.1, 4 rows could not be read; ")


def test_unreadable_rows_go_to_a_file_if_asked(tmp_path: Path) -> None:
    done = run("-", "--errors", tmp_path / "errors", stdin=BAD)
    assert done.returncode == 3
    assert len(results(done.stdout)) == 2
    assert lines_of(tmp_path / "errors") == [{"row": n, "reason": reason} for n, reason in REASONS.items()]
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty"),
        (b"text\n", "has a header and no rows"),
        (b"title\na\n", "has no column named text in its first line"),
        (b"PK\x03\x04", "is a zip archive or an Excel workbook"),
    ],
)
def test_an_unusable_file_is_one_sentence_and_leaves_no_output(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "in.csv"
    if content is not None:
        path.write_bytes(content)
    done = run(path, "-o", tmp_path / "out", "--errors", tmp_path / "errors")
    assert done.returncode == 1
    assert done.stderr.decode() == f"trending-now: {path} {message}\n"
    assert [file.name for file in tmp_path.iterdir()] == ([] if content is None else ["in.csv"])


def test_a_folder_is_no_input(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert (done.returncode, done.stderr.decode()) == (
        1,
        f"trending-now: {tmp_path} cannot be read: Is a directory\n",
    )


def test_what_was_done_before_a_file_breaks_off_is_kept_but_not_under_its_name(tmp_path: Path) -> None:
    packed = gzip.compress(as_jsonl(texts(400)))
    done = run("-", "-o", tmp_path / "out", stdin=packed[:-6])
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        f"trending-now: what was written so far is in {tmp_path / 'out.partial'}",
        "trending-now: standard input is cut off: its gzip data has no end",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["out.partial"]
    assert len(lines_of(tmp_path / "out.partial")) == 400


def test_the_input_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(b"text\na\n")
    (tmp_path / "same").symlink_to(path)
    for option in ("-o", "--errors"):
        done = run(path, option, tmp_path / "same")
        message = f"trending-now: {tmp_path / 'same'} cannot be written: it is the file that is read\n"
        assert (done.returncode, done.stderr.decode()) == (1, message)
    done = run(path, "-o", tmp_path / "out", "--errors", tmp_path / "out")
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert path.read_bytes() == b"text\na\n"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in.csv", "same"]


class Fed:
    """A run that waits for more of its standard input after it has written something."""

    def __init__(self, folder: Path) -> None:
        self.out = folder / "out"
        self.partial = folder / "out.partial"
        self.process = subprocess.Popen(
            [*FAKE, "-", "-o", str(self.out)], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self.process.stdin is not None
        self.process.stdin.write(as_jsonl(texts(2000)))
        self.process.stdin.flush()
        end = time.monotonic() + DEADLINE_S
        while not (self.partial.exists() and self.partial.stat().st_size):
            assert self.process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)

    def end(self, signal_number: int) -> tuple[int, str]:
        """Send the signal, again where it had no effect: one that comes right before Python reads waits until the read ends."""
        end = time.monotonic() + DEADLINE_S
        while self.process.poll() is None and time.monotonic() < end:
            self.process.send_signal(signal_number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(AGAIN_S)
        assert self.process.stderr is not None
        return self.process.wait(0), self.process.stderr.read().decode()


@pytest.fixture
def fed(tmp_path: Path) -> Iterator[Fed]:
    run_in_the_middle = Fed(tmp_path)
    yield run_in_the_middle
    with run_in_the_middle.process as process:
        process.kill()


def test_ctrl_c_is_one_sentence_and_leaves_no_half_file(fed: Fed) -> None:
    code, stderr = fed.end(signal.SIGINT)
    assert code == 130
    assert "Traceback" not in stderr
    kept, stopped = stderr.splitlines()
    assert kept == f"trending-now: what was written so far is in {fed.partial}"
    count = len(lines_of(fed.partial))
    assert stopped == f"trending-now: stopped after {count:,} rows"
    assert not fed.out.exists()
    assert [line["id"] for line in lines_of(fed.partial)] == [f"row {number}" for number in range(count)]


def test_a_killed_run_leaves_no_half_file_and_no_lock(fed: Fed, tmp_path: Path) -> None:
    assert fed.end(signal.SIGKILL)[0] == -signal.SIGKILL
    assert not fed.out.exists()
    assert run("-", "-o", fed.out, stdin=b"text\na\n").returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_second_run_does_not_touch_the_first_ones_file(fed: Fed) -> None:
    before = fed.partial.stat().st_size
    done = run("-", "-o", fed.out, stdin=b"text\na\n")
    assert done.returncode == 1
    assert done.stderr.decode() == f"trending-now: {fed.partial} is being written by another run\n"
    assert fed.partial.stat().st_size >= before


def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(as_jsonl(texts(20_000)))
    with subprocess.Popen([*FAKE, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["id"] == "row 0"
        process.stdout.close()
        assert process.wait(DEADLINE_S) == 141
        assert process.stderr.read() == b""


def test_a_terminal_gets_a_bar_and_a_pipe_none(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(BAD)
    terminal, child_end = pty.openpty()
    process = subprocess.Popen(
        [*FAKE, str(path), "-o", str(tmp_path / "out")],
        stderr=child_end,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(child_end)
    shown = b""
    while piece := _read_terminal(terminal):
        shown += piece
    os.close(terminal)
    assert process.wait(DEADLINE_S) == 3
    assert b"classifying in.csv" in shown
    assert b"100 %" in shown
    assert f"{path}:7: the text is empty".encode() in shown
    assert b"\x1b" not in run(path, "-o", tmp_path / "out").stderr


def _read_terminal(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux's end of file of a terminal whose other end is closed
        return b""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's memory from /proc")
@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, file_format: str) -> None:
    peaks = []
    text = "A plot of two thousand characters. " * 57
    for count in (2_000, 20_000):
        rows = [text] * count
        content = as_csv(rows) if file_format == "csv" else as_jsonl(rows)
        (tmp_path / "in").write_bytes(content)
        report = tmp_path / "report"
        done = run(tmp_path / "in", "-o", tmp_path / "out", MEMORY_REPORT=str(report))
        assert done.returncode == 0
        assert len((tmp_path / "out").read_bytes().splitlines()) == count
        peaks.append(int(report.read_text()) * 1024)
    assert len(content) > 36_000_000
    assert peaks[1] - peaks[0] < 8_000_000


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(content=st.one_of(st.binary(), st.binary().map(lambda tail: b"text\n" + tail)))
def test_no_file_gives_a_traceback(content: bytes) -> None:
    done = run("-", stdin=content)
    assert done.returncode in (0, 1, 3)
    assert b"Traceback" not in done.stderr


def installed(*arguments: str, stdin: bytes) -> subprocess.CompletedProcess[bytes]:
    command = Path(sys.executable).with_name("trending-now")
    return subprocess.run(
        [command, "classify", *arguments], input=stdin, capture_output=True, check=False, timeout=DEADLINE_S
    )


def test_an_unknown_model_is_one_sentence() -> None:
    done = installed("-", "--model", "none", stdin=b"text\na\n")
    assert done.returncode == 1
    assert done.stderr.startswith(b"trending-now: the registry has no model 'genre-none'; it has: ")
    assert done.stderr.count(b"\n") == 1


def test_the_shipped_model_gives_its_own_probabilities(shipped: GenreModel) -> None:
    documents = [
        Document("A sheriff and an outlaw ride into a dying town.", "High Noon Again"),
        Document("Two strangers fall in love on a night train, and lose each other at its end."),
        Document("\0 A body. " + "The detective asks on. " * 900),
    ]
    rows = [{"text": document.text, "title": document.title} for document in documents]
    done = installed("-", "--threads", "1", stdin=b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    assert done.returncode == 0, done.stderr
    found = results(done.stdout)
    expected = shipped.predict(documents)
    for line, row in zip(found, expected, strict=True):
        assert list(line["scores"]) == list(GENRES)
        assert list(line["scores"].values()) == pytest.approx(row.tolist(), abs=1e-4)
        selected = {
            genre for genre, p, limit in zip(GENRES, row, shipped.thresholds, strict=True) if p >= limit
        }
        assert set(line["genres"]) == selected
        assert line["model"] == {"name": shipped.name, "version": shipped.version}

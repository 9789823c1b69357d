"""Waiting for an upload: until it ends, or until nothing happens to it any more."""

from __future__ import annotations

import pytest

from cdk.cli.place import PlaceError
from cdk.cli.waiting import PATIENCE_S, until_ended
from functions.classification.uploads.record import Progress, Status


class Story:
    """Records over time: from each second on, the record that is read then. Its clock is moved by sleeping."""

    def __init__(self, *chapters: tuple[float, Progress | None]) -> None:
        self._chapters = chapters
        self.second = 0.0

    def get(self, id_: str) -> Progress | None:
        assert id_ == "id"
        return next(record for begin, record in reversed(self._chapters) if begin <= self.second)

    def now(self) -> float:
        return self.second

    def sleep(self, seconds: float) -> None:
        self.second += seconds


def record(status: Status, *, rows: int) -> Progress:
    return Progress("id", "uploads/a.csv", 512, 0.0, status, rows=rows)


def wait(story: Story) -> tuple[Progress, list[int]]:
    rows: list[int] = []
    ended = until_ended(
        story, "id", seen=lambda found: rows.append(found.rows), now=story.now, sleep=story.sleep
    )
    return ended, rows


@pytest.mark.parametrize("status", [Status.DONE, Status.FAILED, Status.SUPERSEDED])
def test_an_end_ends_it(status: Status) -> None:
    ended, rows = wait(Story((0, None), (2, record(Status.RUNNING, rows=512)), (3, record(status, rows=600))))

    assert ended == record(status, rows=600)
    assert rows == [512, 512, 600]


def test_one_that_goes_on_is_waited_for_however_long_it_takes() -> None:
    slow = [(n * (PATIENCE_S - 1.0), record(Status.RUNNING, rows=n)) for n in range(1, 5)]
    end = 5 * (PATIENCE_S - 1.0)

    ended, _ = wait(Story((0, None), *slow, (end, record(Status.DONE, rows=9))))

    assert ended.rows == 9


@pytest.mark.parametrize("stuck", [None, record(Status.RUNNING, rows=512), record(Status.MAPPED, rows=512)])
def test_one_that_nobody_works_on_is_given_up_with_a_sentence(stuck: Progress | None) -> None:
    story = Story((0, stuck))

    with pytest.raises(PlaceError, match="nothing has happened to the upload for 90 minutes: `trending-now"):
        wait(story)

    assert story.second == PATIENCE_S

"""What is known of an upload, and how it is written in DynamoDB. Plain data; who may write it, `progress` knows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class Status(StrEnum):
    """Where an upload stands."""

    RUNNING = "running"
    STAGING = "staging"
    """Its rows are being laid out for the state machine."""
    MAPPED = "mapped"
    """The state machine has it: its batches classify the chunks that are not in ``done``."""
    READ = "read"
    """Every chunk is there; the results are still to be written."""
    DONE = "done"
    FAILED = "failed"
    SUPERSEDED = "superseded"


FINAL: Final = frozenset({Status.DONE, Status.FAILED, Status.SUPERSEDED})


@dataclass(frozen=True, slots=True)
class Progress:
    """A record.

    Parameters
    ----------
    chunk_rows : int
        Rows of a chunk, fixed when the upload was first taken up.
    chunks : int
        Chunks done; from ``STAGING`` on, chunks of rows laid out.
    rows, failed : int
        Rows in them, and how many of those are errors.
    starts : int
        Starts of a worker since the last chunk.
    runs : int
        Starts of a worker in all.
    began : float
        When it was first taken up, in seconds of Unix time.
    reason : str or None
        Why the file could not be read, or not to its end.
    owner : str
        Token of the worker that has it, or had it last.
    lease_until : float
        Seconds of Unix time until which no other worker may take it.
    generation : int
        Number of the execution that has it, or had it last; 0 before the first. Never used twice for one upload.
    executions : int
        How many of them there were since the upload was begun, or begun anew.
    done : frozenset of int
        Chunks that batches have classified.
    fault : str or None
        Why a batch was given up.
    """

    id: str
    key: str
    chunk_rows: int
    began: float
    status: Status = Status.RUNNING
    chunks: int = 0
    rows: int = 0
    failed: int = 0
    starts: int = 0
    runs: int = 0
    reason: str | None = None
    owner: str = ""
    lease_until: float = 0.0
    generation: int = 0
    executions: int = 0
    done: frozenset[int] = frozenset()
    fault: str | None = None

    @property
    def classified(self) -> int:
        """Rows of the chunks that are done, rows that are errors included."""
        if self.status is Status.STAGING:
            return 0
        if self.status is not Status.MAPPED:
            return self.rows
        last = self.chunks - 1 in self.done
        missing = self.chunks * self.chunk_rows - self.rows if last else 0
        return len(self.done) * self.chunk_rows - missing


def encode(progress: Progress) -> dict[str, Any]:
    """Write a record as DynamoDB's item."""
    return {
        name: attribute(value)
        for name in Progress.__slots__
        # DynamoDB has no empty set.
        if (value := getattr(progress, name)) is not None and value != frozenset()
    }


def decode(item: dict[str, Any]) -> Progress:
    """Read a record from DynamoDB's item."""

    def number(name: str, missing: str | None = None) -> int:
        return int(item[name]["N"] if name in item or missing is None else missing)

    return Progress(
        id=item["id"]["S"],
        key=item["key"]["S"],
        chunk_rows=number("chunk_rows"),
        began=float(item["began"]["N"]),
        status=Status(item["status"]["S"]),
        chunks=number("chunks"),
        rows=number("rows"),
        failed=number("failed"),
        starts=number("starts"),
        runs=number("runs"),
        reason=item["reason"]["S"] if "reason" in item else None,
        owner=item["owner"]["S"],
        lease_until=float(item["lease_until"]["N"]),
        generation=number("generation", "0"),
        executions=number("executions", "0"),
        done=frozenset(map(int, item.get("done", {}).get("NS", ()))),
        fault=item["fault"]["S"] if "fault" in item else None,
    )


def attribute(value: Any) -> dict[str, Any]:  # noqa: ANN401 -- any field of Progress
    """Write a field's value as DynamoDB's."""
    if isinstance(value, frozenset):
        return {"NS": [str(number) for number in sorted(value)]}
    return {"N": repr(value)} if isinstance(value, int | float) else {"S": str(value)}

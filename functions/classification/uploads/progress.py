"""The record of an upload in DynamoDB: chunks done, who works on it until when, and how it ended.

Every write is conditional on what its writer believes: two workers never hold one upload, and one that was thought dead
learns it at its next write. Knows nothing of rows or of S3.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

from functions.classification.uploads.errors import Busy
from functions.classification.uploads.record import FINAL, Progress, Status, attribute, decode, encode
from trending_core.dynamo_client import answering
from trending_core.errors import TrendingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mypy_boto3_dynamodb.client import DynamoDBClient

    from functions.classification.uploads.upload import Upload

__all__ = ["FINAL", "KEEP_S", "Progress", "ProgressTable", "Status"]

KEEP_S: Final = 30 * 86_400
"""How long a record is kept after its last change: longer than a message can lie in queue and dead-letter queue."""
RACE_S: Final = 5
"""Seconds until one looks again who came second."""


class ProgressTable:
    """The table of records.

    Parameters
    ----------
    client : DynamoDBClient
    table : str
        Its name; partition key ``id``, TTL ``expires_at``.
    lease_s : int
        How long a worker may be silent before another one takes over; longer than a chunk takes.
    now : callable
        Unix time.
    """

    def __init__(self, client: DynamoDBClient, table: str, *, lease_s: int, now: Callable[[], float]) -> None:
        self.lease_s = lease_s
        self._client = client
        self._table = table
        self._now = now

    def get(self, id_: str) -> Progress | None:
        """Read a record."""
        with answering():
            item = self._client.get_item(TableName=self._table, Key={"id": {"S": id_}}, ConsistentRead=True)
        return decode(item["Item"]) if "Item" in item else None

    def claim(self, upload: Upload, *, chunk_rows: int, again: bool) -> Progress:
        """Take an upload over, unless it has ended.

        Parameters
        ----------
        chunk_rows : int
            For an upload that nobody has worked on.
        again : bool
            Somebody asks for another try: start over if it has failed, and count no start of before.

        Returns
        -------
        Progress
            With a final status if there is nothing to do; with ``MAPPED`` if the state machine has it; else it is this
            caller's.

        Raises
        ------
        Busy
            If another worker has it.
        Unavailable
            If DynamoDB does not answer.
        """
        now = self._now()
        seen = self.get(upload.id)
        if seen is None:
            return self._begin(Progress(upload.id, upload.key, chunk_rows, now), None)
        if seen.status is Status.FAILED and again:
            fresh = Progress(
                upload.id, upload.key, chunk_rows, now, runs=seen.runs, generation=seen.generation
            )
            return self._begin(fresh, seen)
        if seen.status in FINAL or seen.status is Status.MAPPED:
            return seen
        return self._take_over(seen, anew=again)

    def claim_mapped(self, upload: Upload, generation: int) -> Progress | None:
        """Take over an upload that the state machine has, to end it or to start another execution.

        Returns
        -------
        Progress or None
            None if that execution does not have it any more.

        Raises
        ------
        Busy
            If another worker is about to end it.
        Unavailable
            If DynamoDB does not answer.
        """
        seen = self.get(upload.id)
        if seen is None or not _has(seen, generation):
            return None
        return self._take_over(seen)

    def add_done(self, upload: Upload, generation: int, chunk: int) -> bool:
        """Note that a chunk is classified; False if that execution does not have the upload any more.

        Raises
        ------
        Unavailable
            If DynamoDB does not answer.
        """
        return self._note(upload, generation, "ADD done :chunk", {":chunk": {"NS": [str(chunk)]}})

    def add_fault(self, upload: Upload, generation: int, fault: str) -> None:
        """Note why a batch is given up; the first one stays.

        Raises
        ------
        Unavailable
            If DynamoDB does not answer.
        """
        self._note(upload, generation, "SET fault = if_not_exists(fault, :fault)", {":fault": {"S": fault}})

    def advance(self, progress: Progress, **changes: Any) -> Progress:  # noqa: ANN401 -- fields of Progress
        """Write a new state of a record that this worker has, and keep it for another lease.

        Raises
        ------
        Busy
            If another worker took over.
        Unavailable
            If DynamoDB does not answer.
        """
        changed = replace(progress, **{"lease_until": self._now() + self.lease_s, **changes})
        self._put(changed, progress)
        return changed

    @contextmanager
    def held(self, progress: Progress) -> Iterator[None]:
        """Work on a record that this worker has; where the work breaks off, another worker may go on at once.

        `Busy` says that somebody else has the record, so it passes without a release.
        """
        try:
            yield
        except Busy:
            raise
        except Exception:
            # What broke the work may keep the record from being written too: then the lease ends by itself.
            with suppress(TrendingError):
                self._release(progress)
            raise

    def _release(self, progress: Progress) -> None:
        """End this worker's lease, whatever else the record says by now."""
        self._update(
            progress.id,
            "SET lease_until = :free",
            ("#owner = :owner",),
            _values(free=0.0, owner=progress.owner),
        )

    def _begin(self, fresh: Progress, seen: Progress | None) -> Progress:
        """Claim an upload with a new record, in the place of a final one if there is one."""
        taken = replace(
            fresh,
            owner=secrets.token_hex(8),
            lease_until=self._now() + self.lease_s,
            starts=1,
            runs=fresh.runs + 1,
        )
        self._put(taken, seen)
        return taken

    def _take_over(self, seen: Progress, *, anew: bool = False) -> Progress:
        """Claim a record whose lease, if any, has ended; give it as it is then.

        Only what a claim changes is written: a batch may note a chunk between the look at the record and this. ``anew`` counts the starts
        from this one on: what ended those of before may be over.
        """
        now = self._now()
        if seen.lease_until > now:
            raise Busy(int(seen.lease_until - now) + 1)
        taken = self._update(
            seen.id,
            "SET #owner = :taker, lease_until = :until, expires_at = :expires"
            + (", starts = :one ADD runs :one" if anew else " ADD starts :one, runs :one"),
            # The owner changes with every claim but not while its worker goes on, so it does not stand for the others.
            ("#owner = :owner", "#status = :status", "lease_until <= :now"),
            _values(
                taker=secrets.token_hex(8),
                until=now + self.lease_s,
                expires=int(now) + KEEP_S,
                one=1,
                owner=seen.owner,
                status=str(seen.status),
                now=now,
            ),
            give="ALL_NEW",
        )
        if taken is None:
            raise Busy(RACE_S)
        return decode(taken)

    def _note(self, upload: Upload, generation: int, change: str, values: dict[str, Any]) -> bool:
        """Change a record that an execution has, whoever owns it."""
        values |= _values(mapped=str(Status.MAPPED), generation=generation)
        conditions = ("#status = :mapped", "generation = :generation")
        return self._update(upload.id, change, conditions, values) is not None

    def _update(
        self,
        id_: str,
        change: str,
        conditions: Sequence[str],
        values: dict[str, Any],
        give: Literal["ALL_NEW", "NONE"] = "NONE",
    ) -> dict[str, Any] | None:
        """Change a record; None if a condition does not hold, else what was to be given of it."""
        condition = " AND ".join(conditions)
        names = {f"#{name}": name for name in ("owner", "status") if f"#{name}" in change + condition}
        with answering():
            try:
                answer = self._client.update_item(
                    TableName=self._table,
                    Key={"id": {"S": id_}},
                    UpdateExpression=change,
                    ConditionExpression=condition,
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues=values,
                    ReturnValues=give,
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return None
        return dict(answer.get("Attributes", {}))

    def _put(self, progress: Progress, seen: Progress | None) -> None:
        """Write a whole record in the place of one of that owner, or of none."""
        item = encode(progress) | {"expires_at": {"N": str(int(self._now()) + KEEP_S)}}
        request: dict[str, Any] = {"TableName": self._table, "Item": item}
        if seen is None:
            request["ConditionExpression"] = "attribute_not_exists(id)"
        else:
            request["ConditionExpression"] = "#owner = :owner"
            request["ExpressionAttributeNames"] = {"#owner": "owner"}
            request["ExpressionAttributeValues"] = _values(owner=seen.owner)
        with answering():
            try:
                self._client.put_item(**request)
            except self._client.exceptions.ConditionalCheckFailedException as error:
                raise Busy(RACE_S) from error


def _values(**values: float | str) -> dict[str, Any]:
    """Write the values of an expression."""
    return {f":{name}": attribute(value) for name, value in values.items()}


def _has(progress: Progress, generation: int) -> bool:
    return progress.status is Status.MAPPED and progress.generation == generation

"""The record of an upload in DynamoDB: chunks done, who works on it until when, and how it ended.

Every write is conditional on what its writer believes: two workers never hold one upload, and one that was thought dead
learns it at its next write. Knows nothing of rows or of S3.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from functions.classification.uploads.errors import Busy
from functions.classification.uploads.record import FINAL, Progress, Status, decode, encode
from trending_core.dynamo_client import answering

if TYPE_CHECKING:
    from collections.abc import Callable

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
            Start over if it has failed.

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
            taken = Progress(upload.id, upload.key, chunk_rows, now)
        elif seen.status is Status.FAILED and again:
            taken = Progress(
                upload.id, upload.key, chunk_rows, now, runs=seen.runs, generation=seen.generation
            )
        elif seen.status in FINAL or seen.status is Status.MAPPED:
            return seen
        else:
            taken = seen
        return self._take(seen, taken)

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
        return self._take(seen, seen)

    def add_done(self, upload: Upload, generation: int, chunk: int) -> bool:
        """Note that a chunk is classified; False if that execution does not have the upload any more.

        Raises
        ------
        Unavailable
            If DynamoDB does not answer.
        """
        return self._update(upload, generation, "ADD done :chunk", {":chunk": {"NS": [str(chunk)]}})

    def add_fault(self, upload: Upload, generation: int, fault: str) -> None:
        """Note why a batch is given up; the first one stays.

        Raises
        ------
        Unavailable
            If DynamoDB does not answer.
        """
        self._update(upload, generation, "SET fault = if_not_exists(fault, :fault)", {":fault": {"S": fault}})

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
        self._put(changed, "#owner = :owner", {":owner": {"S": progress.owner}})
        return changed

    def release(self, progress: Progress) -> Progress:
        """Let another worker go on at once."""
        return self.advance(progress, lease_until=0.0)

    def _take(self, seen: Progress | None, taken: Progress) -> Progress:
        """Write the claim of a record over what was seen; its lease, if any, must have ended."""
        now = self._now()
        if taken.lease_until > now:
            raise Busy(int(taken.lease_until - now) + 1)
        taken = replace(
            taken,
            owner=secrets.token_hex(8),
            lease_until=now + self.lease_s,
            starts=taken.starts + 1,
            runs=taken.runs + 1,
        )
        # The owner's token changes with every claim, so it stands for the whole record.
        if seen is None:
            self._put(taken, "attribute_not_exists(id)", {})
        else:
            self._put(taken, "#owner = :owner", {":owner": {"S": seen.owner}})
        return taken

    def _update(self, upload: Upload, generation: int, change: str, values: dict[str, Any]) -> bool:
        """Change a record that an execution has, whoever owns it."""
        values |= {":mapped": {"S": Status.MAPPED}, ":generation": {"N": str(generation)}}
        with answering():
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key={"id": {"S": upload.id}},
                    UpdateExpression=change,
                    ConditionExpression="#status = :mapped AND generation = :generation",
                    ExpressionAttributeNames={"#status": "status"},
                    ExpressionAttributeValues=values,
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return False
        return True

    def _put(self, progress: Progress, condition: str, values: dict[str, Any]) -> None:
        item = encode(progress) | {"expires_at": {"N": str(int(self._now()) + KEEP_S)}}
        request: dict[str, Any] = {"TableName": self._table, "Item": item, "ConditionExpression": condition}
        if values:
            request |= {"ExpressionAttributeNames": {"#owner": "owner"}, "ExpressionAttributeValues": values}
        with answering():
            try:
                self._client.put_item(**request)
            except self._client.exceptions.ConditionalCheckFailedException as error:
                raise Busy(RACE_S) from error


def _has(progress: Progress, generation: int) -> bool:
    return progress.status is Status.MAPPED and progress.generation == generation

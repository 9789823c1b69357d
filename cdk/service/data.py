"""What functions read and write: tables, buckets, queues, secrets. Names only; no client, no URL, no ARN.

A function that may use one of them says so with a `Grant` (`cdk.service.functions`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cdk.service.limits import VISIBILITY_S, SpecError, check_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An attribute that a table or index is keyed by: ``S`` string, ``N`` number, ``B`` binary."""

    name: str
    type: Literal["S", "N", "B"] = "S"


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A global secondary index; ``include`` names the attributes it copies, None for all, () for the keys alone."""

    name: str
    partition: Key
    sort: Key | None = None
    include: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A DynamoDB table, billed by request, with point-in-time recovery.

    Parameters
    ----------
    ttl_attribute : str or None
        Attribute with the second (Unix time) after which an item may go.
    """

    name: str
    partition: Key = Key(name="pk")
    sort: Key | None = Key(name="sk")
    indexes: tuple[Index, ...] = ()
    ttl_attribute: str | None = None

    def __post_init__(self) -> None:
        check_name("table", self.name)
        names = [index.name for index in self.indexes]
        if len(set(names)) < len(names):
            message = f"table {self.name}: two indexes have the same name"
            raise SpecError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A standard SQS queue with a dead-letter queue.

    Parameters
    ----------
    visibility_s : int
        Seconds a received message stays hidden; at least six timeouts of the function that reads it.
    max_receives : int
        Deliveries before a message moves to the dead-letter queue.
    retention_days : int
        1 to 14; the dead-letter queue always keeps 14.
    """

    name: str
    visibility_s: int = 180
    max_receives: int = 3
    retention_days: int = 4

    def __post_init__(self) -> None:
        check_name("queue", self.name)
        if self.visibility_s not in VISIBILITY_S:
            message = f"queue {self.name}: visibility of {self.visibility_s} s is not within 0 to 43200"
            raise SpecError(message)
        if self.max_receives < 1:
            message = f"queue {self.name}: a message needs at least one delivery before the dead-letter queue"
            raise SpecError(message)
        if not 1 <= self.retention_days <= 14:  # noqa: PLR2004 -- SQS keeps a message at most 14 days
            message = f"queue {self.name}: retention of {self.retention_days} days is not within 1 to 14"
            raise SpecError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """New objects under ``prefix`` of a bucket are announced to ``queue``."""

    queue: str
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A private, versioned S3 bucket; objects under a prefix of ``expire_days`` go after that many days."""

    name: str
    notifications: tuple[Notification, ...] = ()
    expire_days: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        check_name("bucket", self.name)
        for prefix, days in self.expire_days:
            if days < 1:
                message = f"bucket {self.name}: objects under {prefix!r} cannot expire after {days} days"
                raise SpecError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A Secrets Manager secret that a person fills after the first deployment."""

    name: str
    purpose: str

    def __post_init__(self) -> None:
        check_name("secret", self.name)


Resource = Table | Queue | Bucket | Secret

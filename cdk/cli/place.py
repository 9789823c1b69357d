"""Where uploads go: the service that runs on this machine, or a deployed one. Owns the options' meaning and AWS' refusals.

A running `trending-now serve` writes what its bucket and queue are called into its data folder. For a deployed service
they are given as options, and credentials and region come from the environment, as boto3 reads them.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DataOption = Annotated[
    Path, typer.Option("--data", help="Data folder of the service that runs on this machine.")
]
BucketOption = Annotated[
    str | None,
    typer.Option(envvar="UPLOADS_BUCKET", show_envvar=True, help="Bucket of a deployed service instead."),
]
TableOption = Annotated[
    str | None,
    typer.Option(
        envvar="UPLOAD_PROGRESS_TABLE", show_envvar=True, help="Progress table of a deployed service."
    ),
]
QueueOption = Annotated[
    str | None,
    typer.Option(
        envvar="UPLOADS_QUEUE_URL", show_envvar=True, help="Queue URL of a deployed service instead."
    ),
]
DeadLettersOption = Annotated[
    str | None,
    typer.Option(
        envvar="UPLOADS_DEAD_LETTERS_URL",
        show_envvar=True,
        help="URL of the dead-letter queue of a deployed service.",
    ),
]


class PlaceError(Exception):
    """Uploads cannot be reached; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class Place:
    """An AWS endpoint with the names of the spec.

    Parameters
    ----------
    session : boto3.Session
    endpoint_url : str or None
        None for AWS.
    names : mapping of str to str
        Name in the spec -> name or URL.
    """

    session: Any
    endpoint_url: str | None
    names: Mapping[str, str]

    def client(self, service: str) -> Any:  # noqa: ANN401 -- boto3 makes its classes at run time
        """Give a client."""
        from botocore.config import Config  # noqa: PLC0415 -- slow to import

        # What has an endpoint of its own is on this machine: no proxy may come between.
        proxies: dict[str, str] | None = None if self.endpoint_url is None else {}
        config = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard"}, proxies=proxies)
        return self.session.client(service, endpoint_url=self.endpoint_url, config=config)


def find_place(data: Path, given: Mapping[str, str | None]) -> Place:
    """Find the deployed service whose names are given, else the one that runs on this machine.

    Parameters
    ----------
    data : Path
        The data folder of `trending-now serve`.
    given : mapping
        Name in the spec -> what was given for it, None for nothing; all or none.

    Raises
    ------
    PlaceError
        If only some are given, or no service uses the folder.
    """
    from boto3 import Session  # noqa: PLC0415 -- slow to import

    from cdk.local.aws import PLACE  # noqa: PLC0415

    named = {name: value for name, value in given.items() if value}
    if named:
        if missing := sorted(set(given) - set(named)):
            message = f"a deployed service needs all of its names: {', '.join(missing)} is not given"
            raise PlaceError(message)
        return Place(Session(), None, named)
    try:
        place = json.loads((data / "aws" / PLACE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"no service runs with the data folder {data}: start `trending-now serve`, or name its folder with --data"
        raise PlaceError(message) from error
    session = Session(
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 -- no secret: the emulator takes any
        region_name=place["region"],
    )
    return Place(session, place["endpoint_url"], place["names"])


@contextmanager
def reaching() -> Iterator[None]:
    """Turn what boto3 raises into a `PlaceError`."""
    from boto3.exceptions import S3UploadFailedError  # noqa: PLC0415 -- slow to import
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        yield
    except (BotoCoreError, ClientError, S3UploadFailedError) as error:
        message = f"the service's data cannot be reached: {error}"
        raise PlaceError(message) from error

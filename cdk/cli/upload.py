"""`trending-now upload`: a file into the bucket, and waiting for what comes of it.

Owns the command's options, messages and exit codes. Where the bucket is, `cdk.cli.place` knows; what is done with the
file is the upload worker's business.
"""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cdk.cli.output import open_output
from cdk.cli.place import (
    BucketOption,
    DataOption,
    Place,
    PlaceError,
    TableOption,
    find_place,
    reaching,
)
from cdk.cli.progress import row_progress
from cdk.cli.waiting import until_ended
from functions.classification.uploads.upload import ITEMS_METADATA, MAX_KEY_BYTES, UPLOADS, Upload

if TYPE_CHECKING:
    from functions.classification.uploads.progress import Progress

EXIT_SOME_ROWS: Final = 3
"""The results are complete, but for rows that could not be read, and items that could not be made."""
_COPY_BYTES: Final = 1024 * 1024


def upload(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or JSONL, gzipped or not.")],
    name: Annotated[
        str | None, typer.Option(help="What it is called under uploads/.", show_default="the file's name")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until it is classified.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT", help="Wait, and write the results to this file."),
    ] = None,
    items: Annotated[
        bool | None,
        typer.Option(
            "--items/--no-items",
            help="Make an item of every row, or of none.",
            show_default="of the rows that name an item_id",
        ),
    ] = None,
    data: DataOption = Path(".data"),
    bucket: BucketOption = None,
    table: TableOption = None,
) -> None:
    """Upload a file to be classified by the service.

    The results appear beside it in the bucket: results/NAME.jsonl, results/NAME.errors.jsonl for rows that could not be
    read, and results/NAME.summary.json at the end.

    An item needs a title. Its id is the column item_id, or made from title and text where a row has none, so that the same
    row is the same item however often it is uploaded. An item that exists already stays as it is.

    Exit codes: 0 it was uploaded (with --wait: every row was classified, and every item that was asked for is there), 3
    some rows could not be read or became no item, 1 it could not be uploaded or not be read.
    """
    key = f"{UPLOADS}{name or file.name}"
    if len(key.encode()) > MAX_KEY_BYTES:
        message = f"the name is too long: with {UPLOADS} it has more than {MAX_KEY_BYTES} bytes"
        raise PlaceError(message)
    place = find_place(data, {"files": bucket, "upload-progress": table})
    sent = _send(place, file, key, {} if items is None else {ITEMS_METADATA: str(items).lower()})
    typer.echo(f"{file} is s3://{sent.bucket}/{sent.key}", err=True)
    if not (wait or output):
        return
    with reaching():
        ended = _wait(place, sent)
    if ended.status == "superseded":
        message = f"{sent.key} was replaced by a newer version, whose results count"
        raise PlaceError(message)
    rows = f"{ended.rows - ended.failed:,} rows classified, {ended.failed:,} not"
    with reaching():
        summary = _summary(place, sent) if ended.rows else {}
    if ended.status == "failed" and not summary.get("results"):
        raise PlaceError(ended.reason or "the file could not be read")
    if output:
        with reaching():
            _download(place, sent, output)
    counted = summary.get("items") or {}
    stored, refused = counted.get("stored", 0), counted.get("refused", 0)
    typer.echo(f"{rows}; results: s3://{sent.bucket}/{sent.results}", err=True)
    if stored or refused:
        typer.echo(f"items: {stored:,} stored, {refused:,} refused", err=True)
    if ended.failed or refused:
        typer.echo(f"what is wrong with the others: s3://{sent.bucket}/{sent.errors}", err=True)
    if ended.reason:
        raise PlaceError(ended.reason)
    if ended.failed or refused:
        raise typer.Exit(EXIT_SOME_ROWS)


def _send(place: Place, file: Path, key: str, metadata: dict[str, str]) -> Upload:
    """Upload the file and give the version that this made."""
    with reaching():
        s3 = place.client("s3")
        bucket = place.names["files"]
        try:
            size = file.stat().st_size
            with (
                file.open("rb") as stream,
                row_progress(f"uploading {file.name}", total_bytes=size, shown=True) as bar,
            ):
                done = 0

                def count(sent: int) -> None:
                    nonlocal done
                    done += sent
                    bar.at_byte(done)

                s3.upload_fileobj(stream, bucket, key, Callback=count, ExtraArgs={"Metadata": metadata})
        except OSError as error:
            message = f"{file} cannot be read: {error.strerror or error}"
            raise PlaceError(message) from error
        head = s3.head_object(Bucket=bucket, Key=key)
    return Upload(bucket, key, head.get("VersionId"), head["ETag"].strip('"'))


def _wait(place: Place, sent: Upload) -> Progress:
    """Show the progress of an upload until it has ended."""
    from functions.classification.uploads.progress import ProgressTable  # noqa: PLC0415 -- as in `find_place`

    with (
        closing(place.client("dynamodb")) as client,
        row_progress(f"classifying {sent.key}", total_bytes=None, shown=True) as bar,
    ):
        records = ProgressTable(client, place.names["upload-progress"], lease_s=0, now=time.time)
        return until_ended(
            records,
            sent.id,
            seen=lambda record: bar.of_rows(*shown(record)),
            now=time.monotonic,
            sleep=time.sleep,
        )


def shown(record: Progress) -> tuple[str, int, int | None]:
    """Give title, rows done and rows in all: a large file is read first, so that its rows are known then."""
    from functions.classification.uploads.progress import Status  # noqa: PLC0415 -- as in `find_place`

    match record.status:
        case Status.STAGING:
            return f"reading {record.key}", record.rows, None
        case Status.MAPPED:
            return f"classifying {record.key}", record.classified, record.rows
    return f"classifying {record.key}", record.rows, None


def _summary(place: Place, sent: Upload) -> dict[str, Any]:
    """Read what is said of the upload at its end."""
    body = place.client("s3").get_object(Bucket=sent.bucket, Key=sent.summary)["Body"].read()
    content: dict[str, Any] = json.loads(body)
    return content


def _download(place: Place, sent: Upload, output: Path) -> None:
    body: Any = place.client("s3").get_object(Bucket=sent.bucket, Key=sent.results)["Body"]
    with open_output(output) as target:
        for chunk in body.iter_chunks(_COPY_BYTES):
            target.write(chunk)

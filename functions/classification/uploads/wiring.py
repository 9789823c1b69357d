"""Settings become a worker: the one place that knows every implementation. Runs once, at init."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.classification.files.results import ResultFormat
from functions.classification.uploads.batch import Batches
from functions.classification.uploads.ending import Ending
from functions.classification.uploads.executions import Executions
from functions.classification.uploads.item_writer import ItemWriter
from functions.classification.uploads.progress import ProgressTable
from functions.classification.uploads.publish import Publisher
from functions.classification.uploads.queue import UploadQueue
from functions.classification.uploads.steps import Steps
from functions.classification.uploads.summary import ModelName
from functions.classification.uploads.worker import Model, Worker
from trending_core.dynamo_client import connect
from trending_core.store_dynamodb import DynamoItemStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.classification.files import Row
    from functions.classification.uploads.settings import UploadSettings


@dataclass(frozen=True, slots=True)
class Uploads:
    """The two ways in.

    Parameters
    ----------
    batches : Batches
        For messages of the queue.
    steps : Steps
        For the state machine.
    """

    batches: Batches
    steps: Steps


def build_uploads(settings: UploadSettings, model: Model) -> Uploads:
    """Make all of it, with its AWS clients."""
    import boto3  # noqa: PLC0415 -- at init alone, so that tests of the parts don't pay for it
    from botocore.config import Config  # noqa: PLC0415

    config = Config(connect_timeout=2, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4})
    s3 = boto3.client("s3", config=config)
    dynamodb = connect()
    table = ProgressTable(
        dynamodb, settings.upload_progress_table, lease_s=settings.upload_lease_s, now=time.time
    )
    publisher = Publisher(s3, model=ModelName(model.results.model, model.results.version), now=time.time)
    ending = Ending(table, publisher)
    items = ItemWriter(DynamoItemStore(dynamodb, settings.items_table), model.results, now=time.time)
    reserve_ms = int(settings.upload_reserve_s * 1000)
    queue = UploadQueue(
        boto3.client("sqs", config=config),
        url=settings.uploads_queue_url,
        dead_letters_url=settings.uploads_dead_letters_url,
    )
    worker = Worker(
        s3,
        table,
        ending,
        Executions(
            boto3.client("stepfunctions", config=config),
            s3,
            state_machine_arn=settings.upload_state_machine_arn,
        ),
        model,
        items,
        chunk_rows=settings.upload_chunk_rows,
        reserve_ms=reserve_ms,
        max_bytes=settings.upload_max_bytes,
        map_bytes=settings.upload_map_bytes,
        watch_s=settings.upload_watch_s,
    )
    batches = Batches(worker, queue, bucket=settings.uploads_bucket, max_receives=settings.queue_max_receives)
    return Uploads(
        batches,
        Steps(s3, table, ending, queue, model, items, bucket=settings.uploads_bucket, reserve_ms=reserve_ms),
    )


def load_model(settings: UploadSettings) -> Model:
    """Load the model and run it once.

    Raises
    ------
    genre_model.ArtifactError
        If the folder does not hold a complete artifact.
    """
    from genre_model import (  # noqa: PLC0415 -- numpy and ONNX Runtime come with it
        GENRES,
        Document,
        GenreModel,
        threads_for_memory,
    )

    # Every window is computed alone, so several rows at once on a thread each are faster than one row on all of them.
    threads = min(threads_for_memory(settings.aws_lambda_function_memory_size), _cores())
    loaded = GenreModel.load(settings.genre_model_dir, threads=1)

    def predict(rows: Sequence[Row]) -> Sequence[Sequence[float]]:
        probabilities: list[list[float]] = loaded.predict(
            [Document(row.text, row.title) for row in rows]
        ).tolist()
        return probabilities

    loaded.predict([Document("A short text that opens the session.")])
    results = ResultFormat(GENRES, loaded.thresholds.tolist(), loaded.name, loaded.version)
    return Model(predict, results, threads)


def _cores() -> int:
    """Count what this process may use: on Lambda as many as its share needs, on a small machine perhaps fewer."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

"""Settings become a worker: the one place that knows every implementation. Runs once, at init."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from functions.classification.files.results import ResultFormat
from functions.classification.uploads.batch import Batches
from functions.classification.uploads.progress import ProgressTable
from functions.classification.uploads.publish import Publisher
from functions.classification.uploads.queue import UploadQueue
from functions.classification.uploads.summary import ModelName
from functions.classification.uploads.worker import Model, Worker
from trending_core.dynamo_client import connect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.classification.files import Row
    from functions.classification.uploads.settings import UploadSettings


def build_batches(settings: UploadSettings, model: Model) -> Batches:
    """Make all of it, with its AWS clients."""
    import boto3  # noqa: PLC0415 -- at init alone, so that tests of the parts don't pay for it
    from botocore.config import Config  # noqa: PLC0415

    config = Config(connect_timeout=2, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4})
    s3 = boto3.client("s3", config=config)
    worker = Worker(
        s3,
        ProgressTable(
            connect(), settings.upload_progress_table, lease_s=settings.upload_lease_s, now=time.time
        ),
        Publisher(s3, model=ModelName(model.results.model, model.results.version), now=time.time),
        model,
        chunk_rows=settings.upload_chunk_rows,
        reserve_ms=int(settings.upload_reserve_s * 1000),
        max_bytes=settings.upload_max_bytes,
    )
    queue = UploadQueue(
        boto3.client("sqs", config=config),
        url=settings.uploads_queue_url,
        dead_letters_url=settings.uploads_dead_letters_url,
    )
    return Batches(worker, queue, bucket=settings.uploads_bucket, max_receives=settings.queue_max_receives)


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
    threads = threads_for_memory(settings.aws_lambda_function_memory_size)
    loaded = GenreModel.load(settings.genre_model_dir, threads=1)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="model")

    def predict_part(rows: Sequence[Row]) -> list[list[float]]:
        probabilities: list[list[float]] = loaded.predict(
            [Document(row.text, row.title) for row in rows]
        ).tolist()
        return probabilities

    def predict(rows: Sequence[Row]) -> Sequence[Sequence[float]]:
        parts = list(pool.map(predict_part, [rows[start::threads] for start in range(threads)]))
        return [parts[place % threads][place // threads] for place in range(len(rows))]

    loaded.predict([Document("A short text that opens the session.")])
    return Model(predict, ResultFormat(GENRES, loaded.thresholds.tolist(), loaded.name, loaded.version))

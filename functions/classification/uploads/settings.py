"""The upload worker's settings, one environment variable each; the model's are those of the HTTP side."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from functions.classification.settings import Settings

Name = Annotated[str, StringConstraints(min_length=1, max_length=2_048)]


class UploadSettings(Settings):
    """Read once, at init, by `trending_core.settings.load_settings`."""

    uploads_bucket: Name
    """``UPLOADS_BUCKET``: where files are dropped under ``uploads/``."""
    upload_progress_table: Name
    """``UPLOAD_PROGRESS_TABLE``: partition key ``id``, TTL ``expires_at``."""
    uploads_queue_url: Name
    """``UPLOADS_QUEUE_URL``: the queue that the worker reads."""
    uploads_dead_letters_url: Name
    """``UPLOADS_DEAD_LETTERS_URL``: its dead-letter queue."""
    upload_state_machine_arn: Name
    """``UPLOAD_STATE_MACHINE_ARN``: the state machine that takes large objects."""
    items_table: Name
    """``ITEMS_TABLE``: where rows that are to be items go; see ``trending_core.dynamo_codec``."""
    queue_max_receives: int = Field(default=3, ge=1)
    """``QUEUE_MAX_RECEIVES``: deliveries before a message goes to the dead-letter queue; the deployment gives what the
    queue has."""
    upload_chunk_rows: int = Field(default=512, ge=1, le=100_000)
    """``UPLOAD_CHUNK_ROWS``: rows between two checkpoints."""
    upload_lease_s: int = Field(default=120, ge=1, le=900)
    """``UPLOAD_LEASE_S``: silence after which another worker takes over; longer than a chunk takes."""
    upload_reserve_s: float = Field(default=20, ge=0.1, le=600)
    """``UPLOAD_RESERVE_S``: what must be left of an invocation when the model begins on a batch of rows."""
    upload_map_bytes: int = Field(default=64 * 1024**2, ge=0)
    """``UPLOAD_MAP_BYTES``: an object of more bytes, as it was uploaded (packed ones as they are packed), goes to the state
    machine. One worker takes about ten minutes, two invocations, for this many bytes of plots that are not packed."""
    upload_watch_s: int = Field(default=300, ge=1, le=900)
    """``UPLOAD_WATCH_S``: seconds between two looks at whether an execution of the state machine is still at work."""
    upload_max_bytes: int = Field(default=2 * 1024**3, ge=1)
    """``UPLOAD_MAX_BYTES``: a larger object is refused."""

"""Waits for an upload's end, but not for one that nobody works on any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from cdk.cli.place import PlaceError
from cdk.service.catalogue import NEW_UPLOADS

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.classification.uploads.record import Progress

POLL_S: Final = 0.5
PATIENCE_S: Final = NEW_UPLOADS.visibility_s * NEW_UPLOADS.max_receives
"""Seconds without any change after which a message has been delivered as often as it ever is."""


class Records(Protocol):
    """What knows how uploads stand."""

    def get(self, id_: str) -> Progress | None:
        """Read a record."""


def until_ended(
    records: Records,
    id_: str,
    *,
    seen: Callable[[Progress], None],
    now: Callable[[], float],
    sleep: Callable[[float], None],
) -> Progress:
    """Look at an upload's record until its status is final, and give that record.

    Parameters
    ----------
    records : Records
    id_ : str
    seen : callable
        Told every record that is read.
    now : callable
        Seconds of a clock that never goes back.
    sleep : callable
        Waits for so many seconds.

    Raises
    ------
    PlaceError
        If nothing has changed for `PATIENCE_S`.
    """
    from functions.classification.uploads.record import FINAL  # noqa: PLC0415 -- as in `find_place`

    last, since = None, now()
    while True:
        record = records.get(id_)
        if record is not None:
            seen(record)
            if record.status in FINAL:
                return record
        if record != last:
            last, since = record, now()
        if now() - since >= PATIENCE_S:
            message = (
                f"nothing has happened to the upload for {PATIENCE_S // 60} minutes: `trending-now uploads dead-letters` "
                "says whether it was given up, `trending-now uploads redrive` sends it back"
            )
            raise PlaceError(message)
        sleep(POLL_S)

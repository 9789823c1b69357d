"""How work on an upload can end early. Errors of reaching AWS are `trending_core.errors.Unavailable`: try again."""

from __future__ import annotations

from trending_core.errors import TrendingError


class UploadFailed(TrendingError):  # noqa: N818 -- says what it is without the suffix
    """It can never succeed as it is; the text is the reason, in one sentence."""

    title = "Upload failed"
    slug = "upload-failed"


class Superseded(TrendingError):  # noqa: N818 -- as above
    """The object was replaced by a newer version, whose results count."""

    title = "Superseded"
    slug = "superseded"


class Busy(TrendingError):  # noqa: N818 -- as above
    """Another worker has this upload.

    Parameters
    ----------
    seconds : int
        When to look again.
    """

    title = "Busy"
    slug = "busy"

    def __init__(self, seconds: int) -> None:
        super().__init__("Another worker has this upload.")
        self.seconds = seconds


class TimeIsUp(TrendingError):  # noqa: N818 -- as above
    """The invocation's time ends; the next one goes on from the last chunk."""

    title = "Time is up"
    slug = "time-is-up"

    def __init__(self) -> None:
        super().__init__("The invocation's time ends.")

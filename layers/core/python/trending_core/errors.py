"""The project's one tree of errors.

It owns which failures there are and the HTTP status, title and identifier of each; it must not know how an
answer is written (`trending_core.problem`) nor who raises.

::

    TrendingError
    ├── RequestError                    the caller can do something about it
    │   ├── MalformedRequest       400  not HTTP, UTF-8 or JSON as the standards have it
    │   ├── Forbidden              403  the gateway's: no key, no valid one, or the firewall
    │   ├── NotFound               404
    │   ├── MethodNotAllowed       405  carries ``Allow``
    │   ├── Conflict               409  contradicts what is stored
    │   ├── InProgress             409  the same request is being worked on; carries ``Retry-After``
    │   ├── PayloadTooLarge        413
    │   ├── UnsupportedMediaType   415
    │   ├── InvalidInput           422  well-formed, but outside the schema or its rules; names the fields
    │   └── TooManyRequests        429  may carry ``Retry-After``
    ├── ServiceError                    the caller cannot
    │   ├── InternalError          500  its detail is fixed: nothing of the inside gets out
    │   ├── UpstreamFailed         502
    │   ├── Unavailable            503  may carry ``Retry-After``
    │   └── UpstreamTimeout        504
    └── SettingsError                   stops a function's init; never an answer
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field of a request and what is wrong with it.

    Parameters
    ----------
    field : str
        Where, as a path: ``items[3].text``; empty for the body as a whole.
    reason : str
        Why, in plain words that complete "<field> ...".
    """

    field: str
    reason: str


class TrendingError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    detail : str
        One sentence naming what is wrong. It reaches the caller: no secret, no path, no whole input.
    errors : sequence of FieldError
        The fields concerned, where there are any.
    headers : mapping of str to str
        Headers that belong into the answer.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal server error"
    slug: ClassVar[str] = "internal-error"
    may_retry: ClassVar[bool] = False
    """Whether an answer may carry ``Retry-After``."""

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


def _retry_after(seconds: int | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": str(seconds)}


class RequestError(TrendingError):
    """The caller can do something about it: 4xx."""


class MalformedRequest(RequestError):  # noqa: N818 -- the RFC's term reads better than MalformedRequestError
    """The request breaks HTTP, UTF-8 or JSON itself."""

    status = 400
    title = "Malformed request"
    slug = "malformed-request"


class Forbidden(RequestError):  # noqa: N818 -- HTTP's own term
    """The route asks for an API key, and the request has none or a wrong one."""

    status = 403
    title = "Forbidden"
    slug = "forbidden"


class NotFound(RequestError):  # noqa: N818 -- HTTP's own term
    """There is nothing under this path or identifier."""

    status = 404
    title = "Not found"
    slug = "not-found"


class MethodNotAllowed(RequestError):  # noqa: N818 -- HTTP's own term
    """The path exists, the method does not.

    Parameters
    ----------
    allow : sequence of str
        The methods that do exist (RFC 9110, section 15.5.6, asks for them).
    """

    status = 405
    title = "Method not allowed"
    slug = "method-not-allowed"

    def __init__(self, detail: str, *, allow: Sequence[str]) -> None:
        super().__init__(detail, headers={"Allow": ", ".join(allow)})


class Conflict(RequestError):  # noqa: N818 -- HTTP's own term
    """The request contradicts what is stored."""

    status = 409
    title = "Conflict"
    slug = "conflict"


class InProgress(RequestError):  # noqa: N818 -- says what it is without the suffix
    """The same request is being worked on; ask again after `Retry-After`.

    Parameters
    ----------
    retry_after_s : int
        When to come back, in whole seconds.
    """

    status = 409
    title = "In progress"
    slug = "in-progress"
    may_retry = True

    def __init__(self, detail: str, *, retry_after_s: int) -> None:
        super().__init__(detail, headers=_retry_after(retry_after_s))


class PayloadTooLarge(RequestError):  # noqa: N818 -- HTTP's own term
    """The body has more bytes than the route takes."""

    status = 413
    title = "Payload too large"
    slug = "payload-too-large"


class UnsupportedMediaType(RequestError):  # noqa: N818 -- HTTP's own term
    """The body is not JSON by its own account."""

    status = 415
    title = "Unsupported media type"
    slug = "unsupported-media-type"


class InvalidInput(RequestError):  # noqa: N818 -- says what it is without the suffix
    """Well-formed, but outside the schema or its rules."""

    status = 422
    title = "Invalid input"
    slug = "invalid-input"


class TooManyRequests(RequestError):  # noqa: N818 -- HTTP's own term
    """The caller asks too often.

    Parameters
    ----------
    retry_after_s : int or None
        When to come back, in whole seconds.
    """

    status = 429
    title = "Too many requests"
    slug = "too-many-requests"
    may_retry = True

    def __init__(self, detail: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(detail, headers=_retry_after(retry_after_s))


class ServiceError(TrendingError):
    """The caller cannot do anything about it: 5xx."""


class InternalError(ServiceError):
    """Something unforeseen; the log knows more under the request's id."""

    def __init__(self) -> None:
        super().__init__("The request could not be answered; the log holds the cause under this request_id.")


class UpstreamFailed(ServiceError):  # noqa: N818 -- says what it is without the suffix
    """A service this one depends on answered badly."""

    status = 502
    title = "Upstream failed"
    slug = "upstream-failed"


class Unavailable(ServiceError):  # noqa: N818 -- HTTP's own term
    """Not now.

    Parameters
    ----------
    retry_after_s : int or None
        When to come back, in whole seconds.
    """

    status = 503
    title = "Service unavailable"
    slug = "unavailable"
    may_retry = True

    def __init__(self, detail: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(detail, headers=_retry_after(retry_after_s))


class UpstreamTimeout(ServiceError):  # noqa: N818 -- says what it is without the suffix
    """A service this one depends on did not answer in time."""

    status = 504
    title = "Upstream timed out"
    slug = "upstream-timeout"


class SettingsError(TrendingError):
    """A setting is missing or wrong; the text names the environment variable."""

    title = "Wrong settings"
    slug = "wrong-settings"

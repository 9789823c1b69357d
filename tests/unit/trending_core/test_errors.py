from __future__ import annotations

import inspect

import pytest

from trending_core import errors
from trending_core.errors import (
    InProgress,
    InternalError,
    MethodNotAllowed,
    RequestError,
    ServiceError,
    SettingsError,
    TooManyRequests,
    TrendingError,
    Unavailable,
)

TREE = [value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, TrendingError)]


def test_every_error_is_drawn_in_the_docstring() -> None:
    drawn = errors.__doc__ or ""
    assert [error.__name__ for error in TREE if error.__name__ not in drawn] == []


def test_status_and_branch_agree() -> None:
    requests = [error for error in TREE if issubclass(error, RequestError) and error is not RequestError]
    services = [error for error in TREE if issubclass(error, ServiceError)]
    assert {error.status // 100 for error in requests} == {4}
    assert {error.status // 100 for error in services} == {5}


def test_each_kind_has_its_own_title_and_slug() -> None:
    kinds = [e for e in TREE if e not in (TrendingError, RequestError, ServiceError, SettingsError)]
    for attribute in ("title", "slug"):
        assert len({getattr(kind, attribute) for kind in kinds}) == len(kinds), attribute


def test_headers_that_http_asks_for() -> None:
    assert MethodNotAllowed("no", allow=["GET", "POST"]).headers == {"Allow": "GET, POST"}
    assert TooManyRequests("no", retry_after_s=3).headers == {"Retry-After": "3"}
    assert Unavailable("no").headers == {}


def test_what_carries_when_to_ask_again_says_that_it_may() -> None:
    may = {error.__name__ for error in TREE if error.may_retry}
    assert may == {"InProgress", "TooManyRequests", "Unavailable"}
    for error in (InProgress, TooManyRequests, Unavailable):
        assert error("no", retry_after_s=5).headers == {"Retry-After": "5"}


def test_an_internal_error_says_nothing_of_the_inside() -> None:
    with pytest.raises(InternalError) as caught:
        raise InternalError
    assert "request_id" in caught.value.detail

"""Each number and name of a spec has bounds that AWS sets: the last value within is taken, the first beyond is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cdk.service import (
    Api,
    Bucket,
    Function,
    Grant,
    Queue,
    QueueEvent,
    Rollout,
    Route,
    Schedule,
    Service,
    SpecError,
    Warmup,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def function(name: str = "echo", **changes: Any) -> Function:
    return Function(**{"name": name, "image": "functions/echo", "handler": "a.handler", **changes})


def schedule(name: str) -> Schedule:
    return Schedule(name=name, at="cron(0 22 * * ? *)", minimum=1, maximum=4)


BOUNDED: list[tuple[Callable[[Any], object], Any, Any, str]] = [
    (lambda n: Api(rate=n), 1, 0, "API throttle of 0 requests per second, 100 at once lets nothing through"),
    (
        lambda n: Api(burst=n),
        1,
        0,
        "API throttle of 50 requests per second, 0 at once lets nothing through",
    ),
    (
        lambda n: Api(requests_per_address=n),
        10,
        9,
        "a limit of 9 requests per address is below the firewall's 10",
    ),
    (
        lambda n: Queue(name="jobs", visibility_s=n),
        43_200,
        43_201,
        "queue jobs: visibility of 43201 s is not within 0 to 43200",
    ),
    (
        lambda n: Queue(name="jobs", max_receives=n),
        1,
        0,
        "queue jobs: a message needs at least one delivery before the dead-letter queue",
    ),
    (
        lambda n: Queue(name="jobs", retention_days=n),
        14,
        15,
        "queue jobs: retention of 15 days is not within 1 to 14",
    ),
    (
        lambda n: Bucket(name="files", expire_days=(("work/", n),)),
        1,
        0,
        "bucket files: objects under 'work/' cannot expire after 0 days",
    ),
    (
        lambda n: QueueEvent(queue="jobs", batch_size=n),
        10,
        11,
        "queue jobs: batch size 11 is not within 1 to 10",
    ),
    (
        lambda n: QueueEvent(queue="jobs", max_concurrency=n),
        2,
        1,
        "queue jobs: concurrency 1 is not within 2 to 1000",
    ),
    (
        lambda n: QueueEvent(queue="jobs", max_concurrency=n),
        1_000,
        1_001,
        "queue jobs: concurrency 1001 is not within 2 to 1000",
    ),
    (
        lambda n: Route(method="GET", path="/items", cache_s=n),
        3_600,
        3_601,
        "route /items: a cached answer lives 0 to 3600 s, not 3601",
    ),
    (
        lambda path: Route(method="GET", path=path),
        "/items/{item_id}",
        "items/",
        "route path 'items/' is not like /items/{item_id}",
    ),
    (
        lambda can: Grant(to="jobs", can=can, variable="JOBS"),
        ("bury",),
        ("bury", "send"),
        "a grant to jobs: to bury is another queue than to send, and needs a grant of its own",
    ),
    (
        lambda s: function(timeout_s=s),
        900,
        901,
        "echo: timeout of 901 s is not within 1 to 900",
    ),
    (
        lambda handler: function(handler=handler),
        "a.handler",
        "handler",
        "echo: handler 'handler' is not module.function",
    ),
    (
        lambda n: Rollout(interval_minutes=n),
        1,
        0,
        "rollout interval of 0 minutes is not at least 1",
    ),
    (
        lambda share: Rollout(max_error_rate=share),
        1,
        1.01,
        "rollout limits: max_error_rate is a share from 0 to 1, max_p99_ms above 0",
    ),
    (
        lambda ms: Rollout(max_p99_ms=ms),
        0.1,
        0,
        "rollout limits: max_error_rate is a share from 0 to 1, max_p99_ms above 0",
    ),
    (
        lambda name: Warmup(provisioned=1, provisioned_max=4, schedules=(schedule("night"), schedule(name))),
        "day",
        "night",
        "two schedules of provisioned concurrency have the same name",
    ),
    (
        lambda name: Service(stage="dev", functions=(function("a"), function(name))),
        "b",
        "a",
        "function a is defined twice",
    ),
    (
        lambda path: Service(
            stage="dev",
            functions=(
                function("a", routes=(Route(method="GET", path="/a"),)),
                function("b", routes=(Route(method="GET", path=path),)),
            ),
        ),
        "/b",
        "/a",
        "route GET /a leads to two functions",
    ),
]


@pytest.mark.parametrize(
    ("make", "within", "beyond", "sentence"), BOUNDED, ids=[case[-1] for case in BOUNDED]
)
def test_what_lies_beyond_a_bound_is_refused_and_the_bound_is_not(
    make: Callable[[Any], object], within: object, beyond: object, sentence: str
) -> None:
    make(within)
    with pytest.raises(SpecError) as refused:
        make(beyond)
    assert str(refused.value) == sentence

"""The share of requests that a version executes is the share that the alias asks for."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from cdk.local.function import Alias, LocalFunction
from cdk.local.pool import Pool
from tests.support.local import PATIENCE_S, Lines, a_version, asynchronous

REQUESTS = 5_000
CLIENTS = 4
CHI_SQUARE_1_PERCENT = 6.63
"""Upper 1 % point with one degree of freedom."""


@pytest.mark.slow
@pytest.mark.parametrize("weight", [0.1, 0.5])
@asynchronous
async def test_measured_weights_match_the_asked_ones(weight: float) -> None:
    function = LocalFunction(
        "echo", lambda version: Pool(version, Lines(), queue_wait_s=PATIENCE_S), random.Random(2026)
    )
    executed: Counter[str] = Counter()

    async def ask(count: int) -> None:
        for _ in range(count):
            result = await function.invoke(b"{}")
            assert result.error_type is None
            executed[result.version] += 1

    try:
        for number in ("1", "2"):
            await function.publish(a_version(number=number, provisioned=2))
        function.point(Alias("1", {"2": weight}))
        await asyncio.gather(*(ask(REQUESTS // CLIENTS) for _ in range(CLIENTS)))
        counted = {number: pool.metrics.invocations for number, pool in function.versions.items()}
    finally:
        await function.stop()
    assert counted == dict(executed)
    expected = {"1": (1 - weight) * REQUESTS, "2": weight * REQUESTS}
    chi_square = sum((executed[number] - asked) ** 2 / asked for number, asked in expected.items())
    assert chi_square < CHI_SQUARE_1_PERCENT

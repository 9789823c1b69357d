"""The arithmetic of the costs, against figures worked out by hand and AWS's own example."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdk.service.limits import MEMORY_MB_PER_VCPU
from tests.bench.cost import Prices, duration_ms, on_demand, provisioned

PRICES = Prices.load()
milliseconds = st.floats(0.1, 10_000)
memory = st.integers(128, 10_240)


def test_the_sheet_says_of_which_day_it_is() -> None:
    assert datetime.date.fromisoformat(PRICES.as_of) <= datetime.date.today()  # noqa: DTZ011 -- a day, wherever


@pytest.mark.parametrize(
    ("memory_mb", "expected"), [(1769, 10), (3538, 10), (10_240, 10), (885, 19.99), (128, 138.2)]
)
def test_a_request_takes_its_processor_time_at_one_vcpu_and_longer_below(
    memory_mb: int, expected: float
) -> None:
    assert duration_ms(10, memory_mb) == pytest.approx(expected, rel=1e-3)


def test_a_million_requests_by_hand() -> None:
    # 2,048 MB = 2 GB; 100 ms each: 200,000 GB-s.
    cost = on_demand(100, 2048, PRICES)
    assert cost.compute == pytest.approx(200_000 * 0.0000166667)
    assert cost.total == pytest.approx(3.50 + 0.20 + 3.33334)


def test_each_started_millisecond_is_billed() -> None:
    assert on_demand(0.2, 1769, PRICES).compute == on_demand(1.0, 1769, PRICES).compute
    assert on_demand(1.01, 1769, PRICES).compute == on_demand(2.0, 1769, PRICES).compute


def test_readiness_is_paid_for_also_while_nothing_is_asked() -> None:
    # 2 GB, 100 ms, at work half of the time: 200,000 s of readiness, 400,000 GB-s of it.
    cost = provisioned(100, 2048, PRICES, utilization=0.5)
    assert cost.provisioned == pytest.approx(400_000 * 0.0000041667)
    assert cost.compute == pytest.approx(200_000 * 0.0000097222)
    assert provisioned(100, 2048, PRICES, utilization=1).provisioned == pytest.approx(cost.provisioned / 2)


@given(milliseconds, memory)
def test_below_one_vcpu_memory_buys_time_and_not_much_else(cpu_ms: float, memory_mb: int) -> None:
    at_one = on_demand(cpu_ms, MEMORY_MB_PER_VCPU, PRICES)
    here = on_demand(cpu_ms, memory_mb, PRICES)
    if memory_mb <= MEMORY_MB_PER_VCPU:
        # The same GB-s but for what the rounding up to whole ms adds, at most one ms at the larger memory.
        one_ms = MEMORY_MB_PER_VCPU / 1024 * 1000 * PRICES.lambda_gb_second
        assert abs(here.compute - at_one.compute) <= one_ms * (1 + 1e-9)
    else:
        assert here.compute > at_one.compute


@given(milliseconds, milliseconds, memory)
def test_more_work_never_costs_less(one: float, other: float, memory_mb: int) -> None:
    low, high = sorted((one, other))
    assert on_demand(low, memory_mb, PRICES).total <= on_demand(high, memory_mb, PRICES).total
    assert (
        provisioned(low, memory_mb, PRICES, utilization=0.7).total
        <= provisioned(high, memory_mb, PRICES, utilization=0.7).total
    )

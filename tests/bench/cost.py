"""What a million requests cost on AWS, from processor time and a price sheet.

The model: Lambda gives a function ``memory / 1769`` of a vCPU, and one request runs on one thread; so below 1,769 MB a request takes
its processor time divided by that share, and above it gets no faster. Billed is each started millisecond.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html

Left out: data transfer, logs, metrics, cold starts and the free tier. Must not know how the processor time was measured.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, Self

from cdk.service.limits import MEMORY_MB_PER_VCPU

PRICES: Final = Path(__file__).with_name("prices.json")
MEGABYTES_PER_GB: Final = 1024
MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """A price sheet, in US dollars; ``as_of`` is the day it was read, ISO 8601."""

    as_of: str
    region: str
    lambda_gb_second: float
    lambda_million_requests: float
    provisioned_gb_second: float
    provisioned_duration_gb_second: float
    api_gateway_rest_million_requests: float

    @classmethod
    def load(cls, path: Path = PRICES) -> Self:
        """Read a sheet; what else the file says is for people."""
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{field.name: content[field.name] for field in fields(cls)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a million requests cost in US dollars, part by part."""

    gateway: float
    requests: float
    compute: float
    provisioned: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.gateway + self.requests + self.compute + self.provisioned


def duration_ms(cpu_ms: float, memory_mb: int) -> float:
    """Give how long one request takes in a function of this memory, in ms."""
    return cpu_ms / min(1.0, memory_mb / MEMORY_MB_PER_VCPU)


def on_demand(cpu_ms: float, memory_mb: int, prices: Prices) -> Cost:
    """Give the cost of a million requests where no environment is kept ready.

    Parameters
    ----------
    cpu_ms : float
        Processor time of one warm request, above 0.
    memory_mb : int
        The function's memory.
    prices : Prices
        The sheet.
    """
    return Cost(
        gateway=prices.api_gateway_rest_million_requests,
        requests=prices.lambda_million_requests,
        compute=_billed_gb_seconds(cpu_ms, memory_mb) * prices.lambda_gb_second,
        provisioned=0.0,
    )


def provisioned(cpu_ms: float, memory_mb: int, prices: Prices, *, utilization: float) -> Cost:
    """Give the cost of a million requests where all of them find an environment that is kept ready.

    Parameters
    ----------
    utilization : float
        Share of the time that an environment is at work, above 0 and at most 1; it is paid for all of the time. Where
        it is kept for nothing, it costs without a request.
    """
    ready_seconds = duration_ms(cpu_ms, memory_mb) / 1000 * MILLION / utilization
    return Cost(
        gateway=prices.api_gateway_rest_million_requests,
        requests=prices.lambda_million_requests,
        compute=_billed_gb_seconds(cpu_ms, memory_mb) * prices.provisioned_duration_gb_second,
        provisioned=ready_seconds * memory_mb / MEGABYTES_PER_GB * prices.provisioned_gb_second,
    )


def _billed_gb_seconds(cpu_ms: float, memory_mb: int) -> float:
    return math.ceil(duration_ms(cpu_ms, memory_mb)) / 1000 * MILLION * memory_mb / MEGABYTES_PER_GB

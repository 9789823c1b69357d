from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from trending_core.telemetry import get_metrics

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _no_metrics_left() -> Iterator[None]:
    """Powertools keeps metrics in one place for the whole process."""
    yield
    get_metrics().provider.clear_metrics()

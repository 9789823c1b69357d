"""What every integration test runs under: limits that a busy machine can keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.local import INIT_LIMIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session", autouse=True)
def _patient_inits() -> Iterator[None]:
    """Give on-demand environments more time than Lambda does; the test of that limit sets its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cdk.local.pool.INIT_LIMIT_S", INIT_LIMIT_S)
        yield

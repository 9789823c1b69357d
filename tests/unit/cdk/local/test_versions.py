"""How many environments a function of the spec may have here."""

from __future__ import annotations

import pytest

from cdk.local.versions import make_version
from cdk.service import Warmup
from tests.support.local import ROOT, a_function


@pytest.mark.parametrize(
    ("processors", "reserved", "provisioned", "concurrency"),
    [
        (1, None, 0, 2),
        (None, None, 0, 2),
        (8, None, 0, 8),
        (1, 1, 0, 1),
        (8, 3, 0, 3),
        (8, 100, 0, 8),
        (1, None, 4, 4),
    ],
)
def test_concurrency_is_what_is_reserved_within_what_the_machine_has_room_for(
    monkeypatch: pytest.MonkeyPatch,
    processors: int | None,
    reserved: int | None,
    provisioned: int,
    concurrency: int,
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: processors)
    function = a_function(reserved_concurrency=reserved, warmup=Warmup(provisioned=provisioned))
    assert make_version(function, "1", root=ROOT, variables={}).concurrency == concurrency

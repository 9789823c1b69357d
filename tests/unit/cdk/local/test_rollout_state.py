"""What a rollout keeps: read back as written, recovered to one version, never half-written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdk.local.change import Change
from cdk.local.errors import ServeError
from cdk.local.rollout_state import Deployed, FunctionState, Phase, Record, StateFile

CHANGE = Change(models={"genre-bert": "0.2.0"}, code=Path("/srv/checkout"), environment={"A": "1"})


def a_state(phase: Phase = Phase.SHIFTING) -> FunctionState:
    record = Record(
        old="1", new="2", description="x", speed=60, phase=phase, weight=0.1, requests=200, failed=3
    )
    return FunctionState(published=2, live=Deployed("1", Change()), previous=None, rollout=record)


def test_it_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "rollouts" / "f.json")
    assert file.load() == FunctionState()
    state = FunctionState(
        published=7, live=Deployed("7", CHANGE), previous=Deployed("6", Change()), rollout=a_state().rollout
    )
    file.save(state)
    assert file.load() == state
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in file.path.parent.iterdir()] == ["f.json"]


@given(st.sampled_from(Phase))
def test_any_phase_recovers_to_an_end_and_the_same_live_version(phase: Phase) -> None:
    state = a_state(phase)
    recovered = state.recovered()
    assert not recovered.busy
    assert recovered.live == state.live
    assert recovered.recovered() is recovered
    assert recovered.rollout is not None
    if phase.ended:
        assert recovered is state
    else:
        assert recovered.rollout.phase is Phase.ROLLED_BACK
        assert str(phase) in recovered.rollout.reason


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"published": 1}', "\xff"])
def test_a_damaged_file_is_a_sentence(tmp_path: Path, content: str) -> None:
    file = StateFile(tmp_path / "f.json")
    file.path.write_text(content, encoding="latin-1")
    with pytest.raises(ServeError, match=r"f\.json cannot be read"):
        file.load()


def test_what_cannot_be_written_leaves_the_old_state(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "f.json")
    file.save(a_state())
    file.path.with_suffix(".tmp").mkdir()
    with pytest.raises(ServeError, match="cannot be written"):
        file.save(FunctionState())
    assert file.load() == a_state()


def test_the_share_of_failed_requests() -> None:
    record = a_state().rollout
    assert record is not None
    assert record.failed_share == 0.015
    assert Record(old="1", new="2", description="", speed=1).failed_share == 0

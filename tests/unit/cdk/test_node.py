"""Which Node the CDK's libraries run on: the caller's, or else the virtual environment's own, and no other."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from cdk.node import use_bundled_node


def test_the_node_that_the_caller_names_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JSII_NODE", "/opt/node")
    assert use_bundled_node() == Path("/opt/node")
    assert os.environ["JSII_NODE"] == "/opt/node"


def test_jsii_is_led_to_the_environment_s_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JSII_NODE", "")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    node = tmp_path / "bin" / "node"
    node.parent.mkdir()
    node.touch()
    assert use_bundled_node() == node
    assert os.environ["JSII_NODE"] == str(node)


def test_an_environment_without_node_is_told_what_brings_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JSII_NODE", "")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"/bin/node: install the extra 'cdk', which brings it$"):
        use_bundled_node()

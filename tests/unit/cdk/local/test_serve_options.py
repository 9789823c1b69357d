"""What a person may choose for the service, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cdk.local.errors import ServeError
from cdk.local.service import ServeOptions

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("keys", [("",), (" ",), ("\t\n",), ("one", "")])
def test_a_key_that_a_request_without_one_would_match_is_refused(
    tmp_path: Path, keys: tuple[str, ...]
) -> None:
    with pytest.raises(ServeError, match="an API key is empty or blank"):
        ServeOptions(root=tmp_path, data=tmp_path, api_keys=keys)


@pytest.mark.parametrize("keys", [(), ("one",), ("one", "two words")])
def test_other_keys_are_taken(tmp_path: Path, keys: tuple[str, ...]) -> None:
    assert ServeOptions(root=tmp_path, data=tmp_path, api_keys=keys).api_keys == keys

"""What this function asks of a language model, and how that can fail.

Owns the request, the reply, the protocol between them and the failures' kinds. Must not know which provider answers,
how often it is asked, or what the text means.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from trending_core.errors import UpstreamFailed

if TYPE_CHECKING:
    from collections.abc import Mapping


class FailureKind(StrEnum):
    """Why a model gave no usable answer."""

    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    MALFORMED_REPLY = "malformed_reply"
    REPLY_TOO_LARGE = "reply_too_large"
    REQUEST_REFUSED = "request_refused"
    KEY_REFUSED = "key_refused"
    BLOCKED = "blocked"
    INVALID_ANSWER = "invalid_answer"
    BREAKER_OPEN = "breaker_open"
    NO_TIME = "no_time"
    """The model was not asked: the budget was spent before."""


RETRYABLE: Final = frozenset(
    {
        FailureKind.RATE_LIMITED,
        FailureKind.OVERLOADED,
        FailureKind.TIMEOUT,
        FailureKind.CONNECTION,
        FailureKind.MALFORMED_REPLY,
    }
)
"""Failures that a second attempt may not meet."""

OUTAGE: Final = RETRYABLE | {FailureKind.KEY_REFUSED}
"""Failures that say something about the provider, not about one item: these count for the circuit breaker."""


class LlmError(UpstreamFailed):
    """A model gave no usable answer.

    Attributes
    ----------
    kind : FailureKind
    retry_after_s : float or None
        Seconds that the provider asked to wait before the next attempt.
    """

    def __init__(self, detail: str, *, kind: FailureKind, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the conversation."""

    role: Literal["user", "model"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmRequest:
    """All that decides an answer, but for the model's name.

    Parameters
    ----------
    system : str
        The instruction; holds no text of an item.
    turns : tuple of Turn
        Alternating, beginning and ending with the user's.
    schema : mapping
        JSON Schema of the answer.
    temperature : float
    max_output_tokens : int
    """

    system: str
    turns: tuple[Turn, ...]
    schema: Mapping[str, Any]
    temperature: float
    max_output_tokens: int

    def fingerprint(self, model: str) -> str:
        """Give the same 64 hexadecimal digits for the same question to the same model."""
        canonical = json.dumps(
            {
                "model": model,
                "system": self.system,
                "turns": [[turn.role, turn.text] for turn in self.turns],
                "schema": self.schema,
                "temperature": self.temperature,
                "max_output_tokens": self.max_output_tokens,
            },
            sort_keys=True,
            separators=(",", ":"),
        )
        return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmReply:
    """A model's text, as it came; may be empty, and is not to be trusted.

    Attributes
    ----------
    text : str
    model : str
        The model that answered, as the provider names it.
    input_tokens, output_tokens : int
        As the provider bills them; output includes a thinking model's thoughts.
    """

    text: str
    model: str
    input_tokens: int
    output_tokens: int


class LlmClient(Protocol):
    """A language model behind a network; holds no state of a conversation."""

    @property
    def model(self) -> str:
        """The model's name, as prices and fingerprints use it."""
        ...

    def generate(self, request: LlmRequest, *, timeout_s: float) -> LlmReply:
        """Ask once, within `timeout_s` seconds.

        Raises
        ------
        LlmError
            If there is no answer; its kind says why.
        """
        ...

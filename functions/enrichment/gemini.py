"""Gemini over REST, through ``google-generativeai``: the only module that imports it.

Importing this module costs about a second, so it is imported at init where a key is configured, and nowhere else. The
library is no longer maintained upstream; a move to ``google-genai`` touches this file alone. It keeps its configuration
per process, so there is one `GeminiClient` at a time. It owns the translation of requests, replies and failures, and
must not know retries, prompts or items. No text of the provider reaches an error: it may repeat the request.
"""

from __future__ import annotations

import logging
import threading
import warnings
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import requests
from requests.adapters import HTTPAdapter

from functions.enrichment.llm import FailureKind, LlmError, LlmReply

with warnings.catch_warnings():
    # The libraries announce on import which ends of support are coming: the package's own (see above) and Python's.
    warnings.simplefilter("ignore", FutureWarning)
    from google.api_core.exceptions import GoogleAPICallError
    from google.generativeai.client import configure, get_default_generative_client
    from google.generativeai.generative_models import GenerativeModel
    from google.generativeai.types import RequestOptions
    from google.protobuf.json_format import ParseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import SecretStr

    from functions.enrichment.llm import LlmRequest

T = TypeVar("T")

MAX_REPLY_BYTES: Final = 1024 * 1024
"""Bytes of an HTTP reply; the longest answer asked for has about 10 KB."""
CHUNK_BYTES: Final = 64 * 1024
_RETRY_INFO: Final = "type.googleapis.com/google.rpc.RetryInfo"
_INVALID_KEY: Final = "API_KEY_INVALID"
_BLOCKED: Final = frozenset({"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"})
"""https://ai.google.dev/api/generate-content#FinishReason"""
_KEY_REFUSED: Final = frozenset({401, 403})
_OVERLOADED: Final = frozenset({408, 500, 502, 503, 504})
_TOO_MANY: Final = 429


class _ReplyTooLargeError(Exception):
    """More than `MAX_REPLY_BYTES`."""


class _RedirectedError(Exception):
    """The service names another address."""


class _BoundedAdapter(HTTPAdapter):
    """Reads a reply whole, but never more than `MAX_REPLY_BYTES` of it, and follows it nowhere.

    On a redirect to another host requests takes only ``Authorization`` out: the key and the item's text would go there.
    """

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401 -- passed on
        response = super().send(request, *args, **kwargs)
        if response.is_redirect:
            response.close()
            raise _RedirectedError
        body = bytearray()
        for chunk in response.iter_content(CHUNK_BYTES):
            body += chunk
            if len(body) > MAX_REPLY_BYTES:
                response.close()
                raise _ReplyTooLargeError
        response._content = bytes(body)  # noqa: SLF001 -- requests has no public way to hand a read body on
        return response


class GeminiClient:
    """An `LlmClient` on Gemini's ``generateContent``.

    Parameters
    ----------
    api_key : SecretStr
        Sent as a header, never in an address.
    model : str
        Such as ``gemini-2.5-flash-lite``.
    endpoint : str or None
        Another host than Google's, with or without scheme and path (proxies, tests).
    """

    def __init__(self, *, api_key: SecretStr, model: str, endpoint: str | None = None) -> None:
        # At DEBUG these log whole requests: the items' texts.
        for name in ("google", "urllib3"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._model = model
        configure(
            api_key=api_key.get_secret_value(),
            transport="rest",
            client_options={"api_endpoint": endpoint} if endpoint else None,
        )
        session: requests.Session = vars(get_default_generative_client().transport)["_session"]
        session.mount("https://", _BoundedAdapter())
        session.mount("http://", _BoundedAdapter())

    @property
    def model(self) -> str:
        """The model's name."""
        return self._model

    def generate(self, request: LlmRequest, *, timeout_s: float) -> LlmReply:
        """Ask once; see `LlmClient.generate`.

        The library's own timeout is per read of the socket and its own retries are off; the call runs in a thread
        that is left behind at the deadline, so that a reply that trickles cannot hold the request.
        """
        model = GenerativeModel(
            self._model,
            system_instruction=request.system,
            generation_config={
                "temperature": request.temperature,
                "max_output_tokens": request.max_output_tokens,
                "response_mime_type": "application/json",
                "response_schema": gemini_schema(request.schema),
            },
        )
        contents = [{"role": turn.role, "parts": [turn.text]} for turn in request.turns]
        options = RequestOptions(timeout=timeout_s, retry=None)
        try:
            return self._answer(
                lambda: model.generate_content(contents, request_options=options), timeout_s=timeout_s
            )
        except (requests.Timeout, FutureTimeoutError):
            message = f"The language model did not answer within {timeout_s:.1f} s."
            raise LlmError(message, kind=FailureKind.TIMEOUT) from None
        except requests.RequestException:
            message = "The connection to the language model failed."
            raise LlmError(message, kind=FailureKind.CONNECTION) from None
        except (ParseError, ValueError, AttributeError, TypeError, KeyError, RecursionError):
            # The library takes a reply apart without checking it: ``{"error": "no"}`` ends in AttributeError.
            message = "The language model's service did not answer in its own format."
            raise LlmError(message, kind=FailureKind.MALFORMED_REPLY) from None
        except _RedirectedError:
            message = "The language model's service answered with a redirect, and none is followed."
            raise LlmError(message, kind=FailureKind.REQUEST_REFUSED) from None
        except _ReplyTooLargeError:
            message = f"The language model's reply has more than {MAX_REPLY_BYTES} bytes."
            raise LlmError(message, kind=FailureKind.REPLY_TOO_LARGE) from None

    def _answer(self, ask: Callable[[], Any], *, timeout_s: float) -> LlmReply:
        """Ask and read; what cannot be read, in a refusal too, is raised to `generate`, which names it."""
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # about reasons it does not know
            try:
                response = _within(timeout_s, ask)
            except GoogleAPICallError as error:
                raise _refusal(error) from None
            return self._reply(response)

    def _reply(self, response: Any) -> LlmReply:  # noqa: ANN401 -- the library is not typed
        """Take text and token counts out of the library's response; a missing text is empty."""
        candidate = response.candidates[0] if response.candidates else None
        # A reason that the library does not know is a plain number.
        finished = getattr(candidate.finish_reason, "name", "") if candidate else ""
        if response.prompt_feedback.block_reason or finished in _BLOCKED:
            message = "The language model's safety filter blocked this item."
            raise LlmError(message, kind=FailureKind.BLOCKED)
        parts = candidate.content.parts if candidate else ()
        usage = response.usage_metadata
        input_tokens = max(0, usage.prompt_token_count)
        return LlmReply(
            text="".join(part.text for part in parts),
            model=self._model,
            input_tokens=input_tokens,
            # A thinking model's thoughts are billed as output, but counted in the total alone.
            output_tokens=max(0, usage.candidates_token_count, usage.total_token_count - input_tokens),
        )


def gemini_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the part of JSON Schema that the prompts use into the library's schema."""
    translated: dict[str, Any] = {"type": schema["type"].upper()}
    if "description" in schema:
        translated["description"] = schema["description"]
    if "enum" in schema:
        translated |= {"format": "enum", "enum": list(schema["enum"])}
    if "items" in schema:
        translated["items"] = gemini_schema(schema["items"])
    if "properties" in schema:
        translated["properties"] = {name: gemini_schema(part) for name, part in schema["properties"].items()}
        translated["required"] = list(schema.get("required", ()))
    for name, its_name in (("minItems", "min_items"), ("maxItems", "max_items")):
        if name in schema:
            translated[its_name] = schema[name]
    return translated


def _within(seconds: float, work: Callable[[], T]) -> T:
    """Run `work` in a thread and wait for it that long.

    Raises
    ------
    TimeoutError
        At the deadline; the thread ends by itself when its socket does.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 -- handed to the thread that waits
            future.set_exception(error)

    threading.Thread(target=run, name="gemini", daemon=True).start()
    return future.result(timeout=seconds)


def _refusal(error: GoogleAPICallError) -> LlmError:
    """Translate an HTTP error of the service."""
    status = int(error.code or 0)
    if status == _TOO_MANY:
        kind = FailureKind.RATE_LIMITED
    elif status in _OVERLOADED:
        kind = FailureKind.OVERLOADED
    elif status in _KEY_REFUSED or _names_the_key(error):
        kind = FailureKind.KEY_REFUSED
    else:
        kind = FailureKind.REQUEST_REFUSED
    message = f"The language model's service answered with status {status}."
    return LlmError(message, kind=kind, retry_after_s=_retry_after_s(error))


def _names_the_key(error: GoogleAPICallError) -> bool:
    """Tell whether a 400 is about the key; the library's own `reason` fails on its REST errors."""
    return any(isinstance(detail, dict) and detail.get("reason") == _INVALID_KEY for detail in error.details)


def _retry_after_s(error: GoogleAPICallError) -> float | None:
    """Read when to come back: from the header, in seconds or as a date, or from Google's ``RetryInfo``."""
    header = (error.response.headers.get("Retry-After") or "").strip() if error.response is not None else ""
    if header:
        return _header_s(header)
    for detail in error.details:
        if isinstance(detail, dict) and detail.get("@type") == _RETRY_INFO:
            return _seconds(str(detail.get("retryDelay", "")).removesuffix("s"))
    return None


def _header_s(header: str) -> float | None:
    if (seconds := _seconds(header)) is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None

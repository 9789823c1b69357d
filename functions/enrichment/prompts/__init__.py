"""Prompts as files: one folder per version with instruction, repair request, schema and settings, read at init.

Owns how an item is put into a question: as JSON between delimiters that its text cannot contain, within bounds. A
version's folder never changes once it was served; a new wording is a new folder. Must not know which model answers.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from functions.enrichment.llm import LlmRequest, Turn
from trending_core.errors import SettingsError
from trending_core.genres import GENRES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trending_core.models import Draft

PROMPTS: Final = Path(__file__).parent
ANSWER_FIELDS: Final = frozenset({"genres", "summary", "score", "tags"})
"""What `functions.enrichment.validation` reads; every schema asks for exactly these."""
MAX_ECHO: Final = 2_000
"""Characters of an unusable answer that a repair request repeats."""

_VERSION = re.compile(r"^v[1-9][0-9]{0,3}$")


class _Settings(BaseModel):
    """``settings.json`` of a version; lengths in characters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(ge=0, le=2)
    max_output_tokens: int = Field(ge=256, le=65_536)
    max_plot_characters: int = Field(ge=500)
    max_reviews_characters: int = Field(ge=500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One version, checked and ready to render.

    Attributes
    ----------
    version : str
        The folder's name.
    instruction, repair : str
        ``prompt.md`` and ``repair.md``.
    schema : mapping
        ``schema.json``.
    """

    version: str
    instruction: str
    repair: str
    schema: Mapping[str, Any]
    settings: _Settings

    def render(self, draft: Draft) -> LlmRequest:
        """Put an item into the question.

        Over-long plots are cut at their bound; reviews share theirs evenly, and what short ones leave goes to the
        long ones.
        """
        item: dict[str, Any] = {"title": draft.title, "kind": draft.kind.value}
        if draft.year is not None:
            item["year"] = draft.year
        item["plot"] = draft.plot[: self.settings.max_plot_characters]
        item["reviews"] = share(draft.reviews, self.settings.max_reviews_characters)
        return self._request((Turn("user", f"<item>\n{_as_data(item)}\n</item>"),))

    def render_repair(self, request: LlmRequest, answer: str, problem: str) -> LlmRequest:
        """Ask once more after an answer that could not be used, saying why."""
        turns = (
            *request.turns,
            Turn("model", answer[:MAX_ECHO] or "(no text)"),
            Turn("user", self.repair.format(problem=problem)),
        )
        return self._request(turns)

    def _request(self, turns: tuple[Turn, ...]) -> LlmRequest:
        return LlmRequest(
            system=self.instruction,
            turns=turns,
            schema=self.schema,
            temperature=self.settings.temperature,
            max_output_tokens=self.settings.max_output_tokens,
        )


def load_prompt(version: str, *, root: Path = PROMPTS) -> Prompt:
    """Read and check a version.

    Raises
    ------
    SettingsError
        If there is no such version, or a file of it is missing or wrong; the sentence names the file.
    """
    if not _VERSION.match(version):
        message = f"The prompt version {version!r} is not like v1."
        raise SettingsError(message)
    folder = root / version
    instruction = _text(folder / "prompt.md")
    repair = _text(folder / "repair.md")
    if repair.count("{problem}") != 1 or repair.count("{") != 1:
        message = f"{folder / 'repair.md'} must hold {{problem}} once and no other brace."
        raise SettingsError(message)
    schema = _json(folder / "schema.json")
    _check_schema(schema, folder / "schema.json")
    try:
        settings = _Settings.model_validate(_json(folder / "settings.json"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = f"{folder / 'settings.json'}: {where}: {first['msg']}."
        raise SettingsError(message) from error
    return Prompt(version=version, instruction=instruction, repair=repair, schema=schema, settings=settings)


def share(texts: tuple[str, ...], total: int) -> list[str]:
    """Cut texts so that together they have at most `total` characters, the longest ones first to give.

    >>> share(("aaaa", "b", "cccc"), 7)
    ['aaa', 'b', 'ccc']
    """
    cut = [0] * len(texts)
    left = total
    by_length = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    for place, index in enumerate(by_length):
        cut[index] = min(len(texts[index]), left // (len(texts) - place))
        left -= cut[index]
    return [text[:length] for text, length in zip(texts, cut, strict=True) if length]


def _as_data(item: Mapping[str, Any]) -> str:
    """Write JSON in which no text can look like the delimiters."""
    text = json.dumps(item, ensure_ascii=False, indent=1)
    return text.replace("<", "\\u003c").replace(">", "\\u003e")


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"The prompt file {path} cannot be read: {error}."
        raise SettingsError(message) from error
    if not text:
        message = f"The prompt file {path} is empty."
        raise SettingsError(message)
    return text


def _json(path: Path) -> Any:  # noqa: ANN401 -- whatever JSON the file holds; the caller checks it
    try:
        return json.loads(_text(path))
    except ValueError as error:
        message = f"The prompt file {path} is not JSON: {error}."
        raise SettingsError(message) from error


def _check_schema(schema: Any, path: Path) -> None:  # noqa: ANN401 -- the parsed file, whatever it is
    """Hold a schema against what the answer's reader expects."""
    try:
        fields = set(schema["properties"])
        required = set(schema["required"])
        labels = schema["properties"]["genres"]["items"]["properties"]["label"]["enum"]
    except (KeyError, TypeError) as error:
        message = f"{path} does not describe an object with genres, summary, score and tags."
        raise SettingsError(message) from error
    if fields != ANSWER_FIELDS or required != ANSWER_FIELDS:
        message = f"{path} must require exactly the fields {', '.join(sorted(ANSWER_FIELDS))}."
        raise SettingsError(message)
    if sorted(labels) != sorted(GENRES):
        message = f"{path} does not list the 18 genres."
        raise SettingsError(message)

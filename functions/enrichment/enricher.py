"""Who enriches an item: the language model, one repair of its answer, then the embedded enricher.

Owns that order, the time each may take, and what an enrichment says about its making. Must not know HTTP or storage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from functions.enrichment import measures
from functions.enrichment.llm import FailureKind, LlmError
from functions.enrichment.sentiment import NEUTRAL
from functions.enrichment.validation import InvalidAnswer, read_answer
from trending_core.errors import UpstreamFailed, UpstreamTimeout
from trending_core.models import Enrichment, GenreScore, Tokens

if TYPE_CHECKING:
    from functions.enrichment.asking import Asker
    from functions.enrichment.llm import LlmReply
    from functions.enrichment.prompts import Prompt
    from functions.enrichment.retry import Budget
    from functions.enrichment.validation import Answer
    from trending_core.models import Draft

ENRICHED_BY: Final = "gemini"
FALLBACK_RESERVE_S: Final = 8.0
"""Seconds kept for the embedded enricher and the write."""
WRITE_RESERVE_S: Final = 2.0
"""Seconds kept for the write where no fallback is allowed."""


class Embedded(Protocol):
    """The enricher that needs no language model; `LocalEnricher` is one."""

    def enrich(self, draft: Draft) -> Enrichment:
        """Enrich a draft, or raise `Unavailable`."""
        ...


@dataclass(slots=True)
class Spent:
    """Tokens of all the answers that one enrichment used."""

    input: int = 0
    output: int = 0

    def add(self, reply: LlmReply) -> None:
        """Count a reply."""
        self.input += reply.input_tokens
        self.output += reply.output_tokens

    def tokens(self) -> Tokens:
        """Give the sums."""
        return Tokens(input=self.input, output=self.output)


class LlmEnricher:
    """Enriches by asking a model with a versioned prompt.

    Parameters
    ----------
    prompt : Prompt
    asker : Asker
    """

    def __init__(self, prompt: Prompt, asker: Asker) -> None:
        self._prompt = prompt
        self._asker = asker

    def enrich(self, draft: Draft, budget: Budget, spent: Spent) -> Enrichment:
        """Ask, and ask once more if the answer cannot be used.

        Raises
        ------
        LlmError
            If there is no usable answer within the budget.
        Unavailable
            If it cannot be known whether a question was paid for before.
        """
        request = self._prompt.render(draft)
        reply = self._asker.ask(request, budget)
        spent.add(reply)
        try:
            answer = read_answer(reply.text, instruction=self._prompt.instruction)
        except InvalidAnswer as refused:
            measures.answer_refused(str(refused), repaired=False)
            repair = self._prompt.render_repair(request, reply.text, str(refused))
            reply = self._asker.ask(repair, budget)
            spent.add(reply)
            try:
                answer = read_answer(reply.text, instruction=self._prompt.instruction)
            except InvalidAnswer as again:
                measures.answer_refused(str(again), repaired=True)
                # Kept as long as good ones, these two would refuse the same item for days.
                for question in (request, repair):
                    self._asker.forget(question)
                message = "The language model gave no usable answer twice."
                raise LlmError(message, kind=FailureKind.INVALID_ANSWER) from again
        return self._enrichment(draft, answer, reply.model, spent)

    def _enrichment(self, draft: Draft, answer: Answer, model: str, spent: Spent) -> Enrichment:
        return Enrichment(
            genres=tuple(
                GenreScore(label=genre.label, probability=genre.confidence) for genre in answer.genres
            ),
            summary=answer.summary,
            # Where nobody judged the work there is nothing to score, whatever the model says.
            score=round(answer.score, 1) if draft.reviews else NEUTRAL,
            tags=answer.tags,
            enriched_by=ENRICHED_BY,
            model=model,
            prompt_version=self._prompt.version,
            tokens=spent.tokens(),
        )


class Enricher:
    """The model first, where there is one; the embedded enricher otherwise.

    Parameters
    ----------
    embedded : Embedded
    llm : LlmEnricher or None
        None where no key is configured.
    """

    def __init__(self, embedded: Embedded, llm: LlmEnricher | None) -> None:
        self._embedded = embedded
        self._llm = llm

    def enrich(self, draft: Draft, budget: Budget, *, fallback: bool) -> Enrichment:
        """Enrich a draft within the budget, and write what was measured, however it ends.

        Parameters
        ----------
        fallback : bool
            Whether the embedded enricher may answer.

        Raises
        ------
        UpstreamFailed, UpstreamTimeout
            If the model gives no usable answer and no fallback is allowed.
        Unavailable
            If the fallback cannot answer either.
        """
        try:
            return self._enrich(draft, budget, fallback=fallback)
        finally:
            measures.flush()

    def _enrich(self, draft: Draft, budget: Budget, *, fallback: bool) -> Enrichment:
        if self._llm is None:
            if not fallback:
                message = "No language model is configured here, and the request allows no fallback."
                raise UpstreamFailed(message)
            enrichment = self._embedded.enrich(draft)
            measures.enriched(fallback=None)
            return enrichment
        spent = Spent()
        llm_budget = budget.less(FALLBACK_RESERVE_S if fallback else WRITE_RESERVE_S)
        try:
            enrichment = self._llm.enrich(draft, llm_budget, spent)
        except LlmError as error:
            if not fallback:
                raise _upstream(error) from error
            enrichment = self._embedded.enrich(draft).model_copy(update={"tokens": spent.tokens()})
            measures.enriched(fallback=error.kind)
            return enrichment
        measures.enriched(fallback=None)
        return enrichment


def _upstream(error: LlmError) -> UpstreamFailed | UpstreamTimeout:
    """Name the failure for a caller who allowed no fallback: 504 where time ran out, 502 otherwise."""
    if error.kind in {FailureKind.TIMEOUT, FailureKind.NO_TIME}:
        return UpstreamTimeout(error.detail)
    return UpstreamFailed(error.detail)

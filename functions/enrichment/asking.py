"""One question to the model, paid at most once: kept answer, else breaker, retries, and the answer is kept.

Owns the order of these and what is measured about a paid call. Must not know what is asked or how the answer is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.enrichment import measures
from functions.enrichment.breaker import State
from functions.enrichment.llm import LlmError
from trending_core.errors import Unavailable

if TYPE_CHECKING:
    from functions.enrichment.breaker import CircuitBreaker
    from functions.enrichment.ledger import PaidAnswers
    from functions.enrichment.llm import LlmClient, LlmReply, LlmRequest
    from functions.enrichment.pricing import PriceTable
    from functions.enrichment.retry import Budget, Retrier


class Asker:
    """Asks a model.

    Parameters
    ----------
    client : LlmClient
    answers : PaidAnswers
    breaker : CircuitBreaker
    retrier : Retrier
    prices : PriceTable
    """

    def __init__(
        self,
        client: LlmClient,
        *,
        answers: PaidAnswers,
        breaker: CircuitBreaker,
        retrier: Retrier,
        prices: PriceTable,
    ) -> None:
        self._client = client
        self._answers = answers
        self._breaker = breaker
        self._retrier = retrier
        self._prices = prices

    def ask(self, request: LlmRequest, budget: Budget) -> LlmReply:
        """Get the answer to a question, an earlier one if there is one.

        Raises
        ------
        LlmError
            If there is none within the budget.
        Unavailable
            If it cannot be known whether the question was paid for before.
        """
        fingerprint = request.fingerprint(self._client.model)
        if (kept := self._answers.get(fingerprint)) is not None:
            measures.answer_reused()
            return kept
        reply = self._retrier.run(lambda timeout_s: self._attempt(request, timeout_s), budget)
        cost_usd = self._prices.cost_usd(
            reply.model, input_tokens=reply.input_tokens, output_tokens=reply.output_tokens
        )
        measures.call_paid(reply, cost_usd)
        try:
            self._answers.put(fingerprint, reply)
        except Unavailable:
            measures.answer_not_kept()  # the answer is here: losing it now would waste what it cost
        return reply

    def forget(self, request: LlmRequest) -> None:
        """Let go of the kept answer to a question, so that asking it again in an hour asks the model."""
        try:
            self._answers.drop(request.fingerprint(self._client.model))
        except Unavailable:
            measures.answer_not_forgotten()  # it is used again until it expires; the caller's failure stays the same

    def _attempt(self, request: LlmRequest, timeout_s: float) -> LlmReply:
        try:
            return self._breaker.call(lambda: self._client.generate(request, timeout_s=timeout_s))
        except LlmError as error:
            measures.attempt_failed(error.kind, breaker_open=self._breaker.state is State.OPEN)
            raise

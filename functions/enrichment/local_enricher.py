"""The embedded enricher: what answers without a language model, and when the model is down.

Genres from the classification function, sentences of the plot as summary, a lexicon's reading of the reviews as score,
key phrases as tags. Deterministic and free; it says so in ``enriched_by``. Must not know why it was chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.enrichment.keyphrases import keyphrases
from functions.enrichment.sentiment import score_reviews
from functions.enrichment.summary import summarize
from functions.enrichment.validation import plain
from trending_core.models import Enrichment

if TYPE_CHECKING:
    from functions.enrichment.classifier import GenreClassifier
    from functions.enrichment.sentiment import Lexicon
    from trending_core.models import Draft

ENRICHED_BY: Final = "local"
MODEL: Final = "extractive-1"
"""Name and version of these rules; a change of any of them changes it."""


class LocalEnricher:
    """Enriches a draft by rules.

    Parameters
    ----------
    classifier : GenreClassifier
    lexicon : Lexicon
    """

    def __init__(self, classifier: GenreClassifier, lexicon: Lexicon) -> None:
        self._classifier = classifier
        self._lexicon = lexicon

    def enrich(self, draft: Draft) -> Enrichment:
        """Enrich a draft.

        Raises
        ------
        Unavailable
            If the classification function gives no genres.
        InternalError
            If it refuses the draft, as it would again.
        """
        return Enrichment(
            genres=self._classifier.classify(title=draft.title, text=draft.plot),
            summary=plain(summarize(draft.plot)) or draft.title,
            score=score_reviews(draft.reviews, self._lexicon),
            tags=keyphrases(draft.plot),
            enriched_by=ENRICHED_BY,
            model=MODEL,
        )

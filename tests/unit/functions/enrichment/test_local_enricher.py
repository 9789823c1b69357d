"""The embedded enricher: how good its score is on reviews written for this test, and what its parts promise."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.enrichment.keyphrases import keyphrases
from functions.enrichment.local_enricher import LocalEnricher
from functions.enrichment.sentences import sentences
from functions.enrichment.sentiment import NEUTRAL, load_lexicon, score_review, score_reviews
from functions.enrichment.summary import centrality, shorten, summarize
from tests.support.enrichment import FakeClassifier, draft
from trending_core.models import MAX_TAG, Enrichment

LEXICON = load_lexicon()

PRAISE = (
    "I left the cinema grinning; every performance sings and the last act is a triumph.",
    "One of the best films of the year, tense from the first frame to the last.",
    "Beautifully shot and quietly moving.",
    "My kids laughed for two hours and so did I.",
    "Not a single dull moment, and the score is gorgeous.",
    "It takes its time, but the payoff is worth every minute.",
    "A small film with a big heart. I will watch it again.",
    "Sharp writing, superb cast, no wasted scene.",
    "I expected little and got a clever, gripping mystery.",
    "The visuals alone deserve a prize.",
    "8/10, would recommend to anyone who likes slow mysteries.",
    "Four stars. The duel at the end is thrilling.",
    "Never boring, often hilarious.",
    "She gives the performance of her career, raw and unforgettable.",
    "An intelligent script that trusts its audience.",
    "I cried twice and I am not ashamed of it. Wonderful.",
    "Although the middle is slow, the ending is magnificent.",
    "This is how you make a heist film: stylish, witty, fast.",
    "The dialogue is crisp and the chemistry between the leads is electric.",
    "Better than the book, which I loved.",
)
BLAME = (
    "I checked my watch every ten minutes. Dull beyond words.",
    "A waste of a good cast and two hours of my life.",
    "The plot makes no sense and the jokes are not funny.",
    "Looks great, but it is hollow and painfully boring.",
    "The worst sequel I have ever seen.",
    "Clumsy dialogue, wooden acting, and an ending that insults the audience. Terrible.",
    "It drags, then it drags some more.",
    "I wanted to love it, but it is a mess.",
    "Predictable from the first scene to the last.",
    "2/10. The trailer was better than the film.",
    "One star, and that is for the dog.",
    "Nothing here is original; a lazy copy of better films.",
    "The acting is awful and the effects look cheap.",
    "I walked out after an hour.",
    "Pretentious nonsense with a nice soundtrack.",
    "Not good, not even entertaining.",
    "They ruined a childhood favourite of mine with this soulless remake.",
    "Forgettable. I remember nothing two days later.",
    "The pacing is terrible and the hero is irritating.",
    "A disappointing, overlong slog.",
)
NO_OPINION = (
    "I saw it on a plane.",
    "It was directed by the same person as the last one.",
    "Does anyone know where it was filmed?",
    "The running time is 124 minutes.",
    "Set in Lisbon in 1974.",
    "",
)


def test_the_score_tells_praise_from_blame() -> None:
    """Most reviews fall on the right side of neutral, and nearly every praise scores above every blame."""
    praise = [score_review(review, LEXICON) or NEUTRAL for review in PRAISE]
    blame = [score_review(review, LEXICON) or NEUTRAL for review in BLAME]
    right = sum(score > NEUTRAL for score in praise) + sum(score < NEUTRAL for score in blame)
    wrong = [r for r, s in zip(PRAISE, praise, strict=True) if s <= NEUTRAL]
    wrong += [r for r, s in zip(BLAME, blame, strict=True) if s >= NEUTRAL]
    assert right >= 34, wrong
    better = sum(p > b for p, b in itertools.product(praise, blame)) / (len(praise) * len(blame))
    assert better >= 0.95
    print(f"right {right} of 40, pairs in order {better:.3f}, wrong: {wrong}")  # noqa: T201 -- shown by pytest -s


@pytest.mark.parametrize("review", NO_OPINION)
def test_a_review_without_an_opinion_counts_for_nothing(review: str) -> None:
    assert score_review(review, LEXICON) is None
    assert score_reviews([review, "A masterpiece."], LEXICON) == score_reviews(["A masterpiece."], LEXICON)


def test_no_reviews_are_neutral() -> None:
    assert score_reviews([], LEXICON) == NEUTRAL


def scored(review: str) -> float:
    score = score_review(review, LEXICON)
    assert score is not None
    return score


def test_negation_degree_and_but_change_a_word() -> None:
    assert scored("It is not good.") < NEUTRAL < scored("It is good.")
    assert scored("It is not bad.") > NEUTRAL
    assert scored("It is slightly dull.") > scored("It is dull.") > scored("It is extremely dull.")
    assert scored("Dull, but brilliant.") > NEUTRAL > scored("Brilliant, but dull.") - 1.5


@pytest.mark.parametrize(
    ("review", "low", "high"),
    [
        ("10/10", 10, 10),
        ("7.5 / 10 from me", 7.5, 7.5),
        ("3 out of 5", 6, 6),
        ("two stars", 4, 4),
        ("0/10", 0, 0),
        ("a five-star evening", 10, 10),
    ],
)
def test_a_rating_in_the_text_counts(review: str, low: float, high: float) -> None:
    assert low <= scored(review) <= high


@pytest.mark.parametrize("text", ["24/7", "on 10/10/2020", "the stars align", "a one star cast", "11/10"])
def test_what_only_looks_like_a_rating_does_not(text: str) -> None:
    assert score_review(text, LEXICON) is None


@given(st.lists(st.text(max_size=300), max_size=6))
def test_any_text_gives_a_score_in_range(reviews: list[str]) -> None:
    assert 0 <= score_reviews(reviews, LEXICON) <= 10


def test_sentences_end_where_they_end() -> None:
    text = 'Dr. Vale meets J. Ortiz at 5 p.m. in St. Ives. They talk! "Why?" she asks. It is over…  And\nthen\n\nthe end'
    assert sentences(text)[0].startswith("Dr. Vale meets J. Ortiz")
    assert "They talk!" in sentences(text)
    assert sentences(text)[-1] == "the end"
    assert sentences("") == []


def test_a_million_marks_without_a_space_are_one_sentence() -> None:
    # Tried from each mark anew, this would take hours.
    for mark in (".", "!", '."', ".')"):
        run = mark * (1_000_000 // len(mark)) + "x"
        assert sentences(run) == [run]


@given(st.text(alphabet=".!…'\")x \n", max_size=60))
def test_sentences_end_as_with_the_plain_pattern(text: str) -> None:
    plain = re.compile(r"[.!?…]+[\"'”\u2019)\]]*(?=\s)|\n\s*\n")
    found, start = [], 0
    for match in plain.finditer(f"{text}\n\n"):
        found.append(text[start : match.end()])
        start = match.end()
    found.append(text[start:])
    assert sentences(text) == [" ".join(part.split()) for part in found if part.strip()]


@given(st.text(max_size=2_000))
def test_sentences_lose_no_word(text: str) -> None:
    assert "".join(sentences(text)).replace(" ", "") == "".join(text.split())


PLOT = (
    "A lighthouse keeper on a remote island finds a sealed letter in the lamp room. "
    "The weather is cold that year. "
    "The letter accuses the keeper's late father of sinking a ship with his lamp. "
    "Somebody sells fish in the village. "
    "The keeper searches the island for the ship's log and learns that his father was bribed to put out the lamp. "
    "He lights the lamp one last time and leaves the island."
)


def test_a_summary_is_made_of_the_plots_own_sentences_in_order() -> None:
    summary = summarize(PLOT)
    chosen = sentences(summary)
    positions = [sentences(PLOT).index(sentence) for sentence in chosen]
    assert positions == sorted(positions)
    assert 1 <= len(chosen) <= 3
    assert "Somebody sells fish in the village." not in chosen
    assert "The weather is cold that year." not in chosen


@given(st.text(max_size=3_000), st.integers(40, 600))
def test_a_summary_fits(text: str, limit: int) -> None:
    assert len(summarize(text, max_characters=limit)) <= limit
    assert len(shorten(text, limit)) <= limit


@given(st.lists(st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.1, 5), max_size=5), max_size=8))
def test_centrality_is_a_distribution(bags: list[dict[str, float]]) -> None:
    ranks = centrality(bags)
    assert len(ranks) == len(bags)
    assert sum(ranks) == pytest.approx(1 if bags else 0)
    assert all(rank >= 0 for rank in ranks)


def test_tags_are_themes_not_names() -> None:
    tags = keyphrases(
        PLOT + " In the village, Captain Morrow waits. A sealed letter arrives: another sealed letter."
    )
    assert "sealed-letter" in tags
    assert not any("morrow" in tag for tag in tags)
    assert len(tags) <= 6


@given(st.text(max_size=2_000))
def test_tags_of_any_text_are_valid_and_few(text: str) -> None:
    tags = keyphrases(text)
    assert len(tags) == len(set(tags)) <= 6
    assert all(0 < len(tag) <= MAX_TAG for tag in tags)


@given(st.text(min_size=1, max_size=2_000), st.lists(st.text(min_size=1, max_size=200), max_size=3))
def test_any_draft_is_enriched(plot: str, reviews: list[str]) -> None:
    enrichment = LocalEnricher(FakeClassifier(), LEXICON).enrich(draft(plot=plot, reviews=tuple(reviews)))
    assert Enrichment.model_validate_json(enrichment.model_dump_json()) == enrichment
    assert enrichment.enriched_by == "local"
    assert len(enrichment.summary) <= 600


def test_worst_case_texts_cost_no_more_than_ordinary_ones() -> None:
    """Each of these once made a scan quadratic or would if a bound were lost; the test's timeout is the limit."""
    enricher = LocalEnricher(FakeClassifier(), LEXICON)
    for plot in ("A. " * 6_666, "Word one two. " * 1_400, "<a" * 10_000, "x" * 20_000, "but " * 5_000):
        enricher.enrich(draft(plot=plot, reviews=(plot,) * 5))

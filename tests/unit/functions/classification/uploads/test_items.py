import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.classification.files import Row
from functions.classification.files.results import ResultFormat
from functions.classification.uploads import items
from functions.classification.uploads.errors import UploadFailed
from functions.classification.uploads.items import Wish, draft_of, enrichment_of, opening, wish_of
from functions.enrichment import sentiment
from trending_core.models import MAX_PLOT, MAX_SUMMARY, MAX_TITLE, Draft
from trending_core.visible import is_visible

RESULTS = ResultFormat(("Action", "Drama", "War"), (0.5, 0.5, 0.25), "genre-bert", "1.2.3")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=2_000).filter(is_visible)


@pytest.mark.parametrize(
    ("metadata", "wish"),
    [
        ({}, Wish.NAMED),
        ({"other": "true"}, Wish.NAMED),
        ({"items": "true"}, Wish.ALL),
        ({"items": " True "}, Wish.ALL),
        ({"items": "FALSE"}, Wish.NONE),
    ],
)
def test_the_metadata_says_which_rows_become_items(metadata: dict[str, str], wish: Wish) -> None:
    assert wish_of(metadata) is wish


@pytest.mark.parametrize("value", ["", "yes", "1", "named", "truefalse"])
def test_metadata_that_says_neither_is_refused(value: str) -> None:
    with pytest.raises(UploadFailed, match=r"^The object's metadata items is neither true nor false.$"):
        wish_of({"items": value})


def test_a_wish_covers_all_rows_the_named_ones_or_none() -> None:
    named, other = Row(1, id="1", text="a", item_id="x"), Row(2, id="2", text="a")
    assert [(wish.covers(named), wish.covers(other)) for wish in (Wish.NONE, Wish.NAMED, Wish.ALL)] == [
        (False, False),
        (True, False),
        (True, True),
    ]


def test_a_row_is_the_item_it_names_or_one_named_by_its_content() -> None:
    named = draft_of(Row(1, id="r1", text="A plot.", title="Low Tide", item_id="low-tide"))
    assert named == Draft(item_id="low-tide", title="Low Tide", plot="A plot.")
    again, other = (
        draft_of(Row(number, id=f"r{number}", text="A plot.", title=title))
        for number, title in ((7, "Low Tide"), (8, "High Tide"))
    )
    assert again == Draft(title="Low Tide", plot="A plot.")
    assert isinstance(again, Draft)
    assert isinstance(other, Draft)
    assert again.item_id != other.item_id


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (Row(1, id="1", text="a"), "an item needs a title"),
        (
            Row(1, id="1", text="a", title="x" * 301),
            f"an item's title must have at most {MAX_TITLE} characters",
        ),
        (
            Row(1, id="1", text="x" * 20_001, title="a"),
            f"an item's text must have at most {MAX_PLOT} characters",
        ),
        (
            Row(1, id="1", text="a", title="a", item_id="a b"),
            "an item's item_id must match the pattern ^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        ),
    ],
)
def test_what_cannot_be_an_item_is_told_without_its_texts(row: Row, reason: str) -> None:
    assert draft_of(row) == reason


def test_the_longest_row_that_an_item_takes_is_one() -> None:
    row = Row(1, id="1", text="\U0001f600" * MAX_PLOT, title="\U0001f600" * MAX_TITLE, item_id="x" * 64)
    draft = draft_of(row)
    assert isinstance(draft, Draft)
    assert len(enrichment_of(draft, [0.1, 0.2, 0.1], RESULTS).summary) <= MAX_SUMMARY


def test_an_item_has_the_models_genres_and_says_so() -> None:
    made = enrichment_of(Draft(title="a", plot="A plot. "), [0.51239, 0.4, 0.75], RESULTS)
    assert [(genre.label, genre.probability) for genre in made.genres] == [("War", 0.75), ("Action", 0.5124)]
    assert (made.enriched_by, made.model) == ("upload", "genre-bert 1.2.3")
    assert (made.summary, made.score, made.tags) == ("A plot.", 5.0, ())


def test_where_no_genre_is_selected_the_likeliest_is_taken() -> None:
    made = enrichment_of(Draft(title="a", plot="A plot."), [0.1, 0.2, 0.15], RESULTS)
    assert [genre.label for genre in made.genres] == ["Drama"]


@given(text=TEXTS, characters=st.integers(10, 200))
def test_an_opening_is_one_short_line_and_never_empty(text: str, characters: int) -> None:
    line = opening(text, characters)
    assert 0 < len(line) <= characters
    assert len(line.splitlines()) <= 1
    assert " ".join(line.split()) == line


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("One two.\nThree  four.", "One two. Three four."),
        ("One two. Three four five six seven.", "One two."),
        ("One two three four five six seven.", "One two three four five…"),
        ("x" * 40, "x" * 24 + "…"),
        ("a\x00b\x1bc", "abc"),
        ("Dr. Moreau has an island of his own.", "Dr. Moreau has an…"),
        ("He left. Then Mrs. Wu came home again.", "He left."),
        ("Sea. An old man fishes for days.", "Sea. An old man fishes…"),
        ("She said go. J. R. Smith did not.", "She said go."),
        ("In the U.S. Army nobody laughs.", "In the U.S. Army nobody…"),
        ('"They won." Nobody came to it.', '"They won."'),
        ("Who sings? Nobody in here does.", "Who sings?"),
    ],
)
def test_whole_sentences_or_whole_words_are_kept(text: str, summary: str) -> None:
    assert opening(text, 25) == summary


def test_sentences_that_say_too_little_are_followed_by_words() -> None:
    assert opening("He ran. " + "word " * 200).startswith("He ran. word word")
    assert opening("x" * 99 + ". " + "word " * 200) == "x" * 99 + "."


def test_an_item_without_reviews_has_one_score_whoever_enriched_it() -> None:
    assert items.NEUTRAL == sentiment.NEUTRAL

"""The genre labels as the API knows them. Must not know: the model that predicts them.

`genre_model` holds the same labels in the order of its arrays; a contract test keeps the two lists equal,
because neither package may import the other.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Genre(StrEnum):
    """One of the 18 labels of TMDB's film taxonomy (without its "TV Movie")."""

    ACTION = "Action"
    ADVENTURE = "Adventure"
    ANIMATION = "Animation"
    COMEDY = "Comedy"
    CRIME = "Crime"
    DOCUMENTARY = "Documentary"
    DRAMA = "Drama"
    FAMILY = "Family"
    FANTASY = "Fantasy"
    HISTORY = "History"
    HORROR = "Horror"
    MUSIC = "Music"
    MYSTERY = "Mystery"
    ROMANCE = "Romance"
    SCIENCE_FICTION = "Science Fiction"
    THRILLER = "Thriller"
    WAR = "War"
    WESTERN = "Western"


GENRES: Final[tuple[str, ...]] = tuple(genre.value for genre in Genre)

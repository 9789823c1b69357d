"""The label set: which genres there are, and in which order every array holds them."""

from __future__ import annotations

from typing import Final

GENRES: Final[tuple[str, ...]] = (
    "Action",
    "Adventure",
    "Animation",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Family",
    "Fantasy",
    "History",
    "Horror",
    "Music",
    "Mystery",
    "Romance",
    "Science Fiction",
    "Thriller",
    "War",
    "Western",
)
"""The 18 labels of TMDB's film taxonomy, without its "TV Movie", in alphabetical order."""

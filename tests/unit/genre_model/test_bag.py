from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genre_model.bag import dense_bags, hashed_bag

ids = st.lists(st.integers(0, 65_535), max_size=200)
bins = st.sampled_from([2, 16, 1024, 2**20])


@given(ids, bins)
def test_a_bag_counts_every_piece_once_whatever_the_order(pieces: list[int], columns: int) -> None:
    where, values = hashed_bag(pieces, columns)

    assert ((where >= 0) & (where < columns)).all()
    assert (np.diff(where) > 0).all()
    np.testing.assert_allclose(values.sum(), 100 if pieces else 0, rtol=1e-4)
    for one, other in zip(hashed_bag(sorted(pieces), columns), (where, values), strict=True):
        np.testing.assert_array_equal(one, other)


@given(st.lists(ids, min_size=1, max_size=5))
def test_what_a_text_lacks_is_missing_and_not_zero(documents: list[list[int]]) -> None:
    dense = dense_bags(documents, 16)

    for row, pieces in zip(dense, documents, strict=True):
        where, values = hashed_bag(pieces, 16)
        np.testing.assert_array_equal(np.flatnonzero(~np.isnan(row)), where)
        np.testing.assert_array_equal(row[where], values)


def test_pieces_spread_over_the_columns() -> None:
    where, _ = hashed_bag(range(30_522), 16_384)

    # 30,522 balls in 16,384 bins leave 1 - exp(-1.86), 84 %, of them filled when they fall at random.
    assert len(where) > 0.8 * 16_384

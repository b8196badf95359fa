"""Cells that are there and cannot be used: words for a missing number are none of them."""

import pandas as pd

from pushforward.data import Columns


def test_a_word_for_a_missing_number_is_no_cell_that_cannot_be_used(rng):
    price = [f"${x:.1f}M" for x in rng.gamma(2, 9, 60)]
    frame = pd.DataFrame({"size": rng.normal(size=60), "price": price})
    frame.loc[::4, "price"] = "-"
    columns = Columns.learn(frame, missing="model").columns
    for cell, unused in (("-", []), ("N/A", []), ("cheap", ["price"])):
        row = pd.DataFrame({"size": [0.5], "price": [cell]})
        known = columns.encode_known(row)[2].numpy()
        assert known.tolist() == [[True, False]]
        ties = columns.tied_cells(row, known)
        assert not ties
        assert list(columns.unused_cells(row, known, ties)) == unused

import pytest


@pytest.fixture
def formulas():
    """What gives the formulas of columns that are computed, as text, by their labels."""

    def of(columns):
        labels = columns.labels
        return {
            labels[j]: column.formula.text(labels)
            for j, column in enumerate(columns.columns)
            if column.formula is not None
        }

    return of

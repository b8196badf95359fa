"""What a density of a table says of some cells given others: conditions and filled cells."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..data import Columns
from ..transport import Density, Rows
from ..validation import FLAG, OneOf, check

if TYPE_CHECKING:
    from ..transport.conditioning import Conditioner
    from .conditional_table import ConditionalTable

__all__ = ["Conditionals"]

_SAMPLES = 1500  # a coordinate, to which the proposal of conditional draws is fitted


class Conditionals:
    """``given`` and ``impute`` of a density of a table.

    A mixin of :class:`~pushforward.estimators.table_density.TableDensity`.
    """

    columns_: Columns
    density_: Density
    kept_: float

    def _check_fitted(self) -> None:
        raise NotImplementedError

    def _draw(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        raise NotImplementedError

    def _rows(self, z: Tensor, weight: Tensor | None, log_det: Tensor) -> Rows:
        raise NotImplementedError

    def given(
        self,
        conditions: Any,
        *,
        n_draws: int = 1000,
        max_draws: int | None = None,
        random_state: Any = None,
    ) -> "ConditionalTable":
        """The distribution of the open columns given the others.

        Args:
            conditions: a dict from columns to values, to pairs ``(low, high)`` of which either
                may be None, or to lists of values; or a table with missing cells, or without some
                of the columns: each row is then given what it has.
            n_draws: draws a row that answers rest on where they cannot be computed.
            max_draws: draws a row at most. Where ``n_draws`` are worth too little, since the
                conditions hold for few rows, up to forty times as many are drawn; a number bounds
                that, for an answer at once.
            random_state: seed of these, RandomState, or None for numpy's global one.

        Returns:
            A :class:`~pushforward.estimators.conditional_table.ConditionalTable`: ``sample``,
            ``mean``, ``quantile``, ``interval``, ``prob`` and more.

        Raises:
            DataError: for conditions that are not values of the columns, and that no row meets.

        Examples:
            >>> import pushforward
            >>> model = pushforward.fit("iris", verbose=False, random_state=0)
            >>> given = model.given({"petal length (cm)": 1.5, "petal width (cm)": 0.2})
            >>> given.mean().columns.tolist()
            ['sepal length (cm)', 'sepal width (cm)']
        """
        from .conditional_table import ConditionalTable

        self._check_fitted()
        return ConditionalTable(
            self.columns_,
            self._conditioner(),
            conditions,
            n_draws=n_draws,
            max_draws=max_draws,
            random_state=random_state,
            kept=self.kept_,
        )

    def _conditioner(self) -> "Conditioner":
        """What conditions the density; made when it is first asked for, and not saved."""
        from ..transport.conditioning import SAMPLES, Conditioner

        if self.__dict__.get("_conditioned_", (None,))[0] is not self.density_:
            with torch.no_grad():
                count = min(SAMPLES, _SAMPLES * max(1, self.density_.dimension))
                z = self._draw(count, torch.Generator().manual_seed(0))
                rows = self._rows(z, None, torch.zeros(len(z)).double())
                self._conditioned_ = (self.density_, Conditioner(self.density_, rows, 0))
        return self._conditioned_[1]

    def impute(
        self,
        X: Any,
        *,
        strategy: str = "mean",
        n_draws: int = 200,
        random_state: Any = None,
        return_cells: bool = False,
        level: float = 0.9,
    ) -> Any:
        """Fill the missing cells of rows in.

        Args:
            X: table with missing cells; a frame may lack columns.
            strategy: "mean" fills in the conditional mean of numbers, in the decimals of the
                column, and the most probable of other values; "median" the median of numbers;
                "mode" the most plausible cells together; "sample" draws them together, so that
                several calls (multiple imputation) carry the uncertainty.
            n_draws, random_state: as of :meth:`given`.
            return_cells: whether to say which cells were filled in, and how sure they are.
            level: probability of the intervals of these.

        Returns:
            The table in the container of ``fit``, with the cells that are there as they are. With
            ``return_cells`` this and a frame with a row for each cell that was filled in: row,
            column, value, the ends low and high of the central interval of numbers and dates, and
            the probability of the value of others.

        Examples:
            >>> import pushforward
            >>> model = pushforward.fit("iris", verbose=False, random_state=0, minutes=0.05)
            >>> holes = pushforward.load_dataset("iris").head(3)
            >>> holes.loc[0, "petal width (cm)"] = None
            >>> filled, cells = model.impute(holes, random_state=0, return_cells=True)
            >>> bool(filled.notna().all(axis=None)), cells["column"].tolist()
            (True, ['petal width (cm)'])
        """
        from .conditional_table import STRATEGIES

        check({"strategy": OneOf(*STRATEGIES), "return_cells": FLAG}, locals())
        given = self.given(X, n_draws=n_draws, random_state=random_state)
        filled = given.filled(strategy)
        return (filled, given.filled_cells(filled, level)) if return_cells else filled

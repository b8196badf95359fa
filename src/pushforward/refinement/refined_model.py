"""A generator with what made its samples better: a model like any other."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import takewhile
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from ..citations import bibtex
from ..errors import MissingMethodError, ParameterError, UnsupportedError, stacklevel_of_caller
from ..estimators.base import Model, check_fitted, packed, unpacked
from ..estimators.capabilities import capabilities_of, methods_of
from ..estimators.parameters import drawn_seed
from ..estimators.prior import Prior
from ..storage.checkpoint import Checkpoint, Folder
from ..training.processes import Processes
from ..training.threads import threads_for
from ..validation import COUNT, MINUTES, Function, Instance, Integer, Number, OneOf, Rule, Seed
from . import serialisation as saving
from .acceptance_test import check_rows
from .adapters import Adapter, adapter_of, check_generator
from .data_rows import drawn_gaps
from .density_ratio import RATIOS
from .logit import Logit
from .logit_gradients import BATCH, Score, frozen
from .methods import METHODS, BudgetedRejection, DGflow, current_settings
from .other_critic import with_critic
from .pipeline import Refinement, run
from .preparation import prepared
from .presets import resolved
from .repeated_values import with_nearest_values
from .report import RefinementReport
from .resumption import identity_of
from .row_features import RowFeatures
from .sample_spaces import Space
from .samplers.dgflow import PUBLISHED
from .samplers.resampling import effective_sample_size, importance_weights
from .setup import Report, Setup
from .stages import KeptStage, moved_pairs, space_after

__all__ = ["RefinedModel"]

_IMAGES_AT_ONCE = 128
_EFFECTIVE = 0.1  # share of weighed rows under which means are left to a few
#: What a refined model has from its base, and what its base has and it has not.
_OF_BASE = (
    *("pixels_", "columns_", "classes_", "alphabet_", "settings_", "history_", "best_"),
    *("class_names_", "stopped_", "n_features_in_", "feature_names_in_", "networks_"),
    *("reading_", "drawn_from_"),
)
_NOT_HERE = (
    *("score_samples", "score", "encode", "decode", "reconstruct", "interpolate", "critic"),
    *("predict", "decision_function", "explain", "distribution", "elbo"),
)


class RefinedModel(Model):
    """A generator whose samples are moved, chosen or both; :func:`refine` makes it.

    Args:
        generator, prior, logit, method, preset, space, ratio, critic_of, settings, features,
            minutes, evaluations, draws, batch_size: as of :func:`refine`.
        random_state: seed, RandomState or None.

    Attributes:
        report_: what was tried, what helped, and by how much.
        base_: the generator.
        kept_: the stages that a sample goes through.
    """

    report_: RefinementReport
    base_: Any
    kept_: list[KeptStage]
    adapter_: Adapter
    first_logit_: Logit
    place_: str
    known_values_: dict[str | int, np.ndarray]
    row_features_: RowFeatures | None = None

    _cites: ClassVar[tuple[str, ...]] = ()
    _rules: ClassVar[Mapping[str, Rule]] = {
        "generator": Instance(object, description="a model, or a function and a prior"),
        "prior": Integer(1, why="of standard normal latents")
        | Instance(Prior, description="a Prior such as Prior.normal(8)")
        | None,
        "logit": Function("a function of rows (n, ...)") | None,
        "method": OneOf("auto", *METHODS),
        "preset": OneOf("paper", *PUBLISHED) | None,
        "space": OneOf("auto", "data", "latent"),
        "ratio": OneOf(*RATIOS),
        "critic_of": Instance(object, description="a GAN fitted on the same data") | None,
        "settings": Instance(Mapping, description="a mapping of names to values") | None,
        "features": Function("a function of rows (n, ...)")
        | Instance(str, description="a name")
        | None,
        "minutes": MINUTES,
        "evaluations": Number(1, ends="[") | None,
        "draws": Number(1, ends="[") | None,
        "batch_size": COUNT | None,
        "random_state": Seed(),
    }

    def __init__(
        self,
        generator: Any = None,
        *,
        prior: Prior | int | None = None,
        logit: Score | None = None,
        method: str = "auto",
        preset: str | None = None,
        space: str = "auto",
        ratio: str = "direct",
        critic_of: Any = None,
        settings: Mapping[str, Any] | None = None,
        features: Any = None,
        minutes: float | None = None,
        evaluations: float | None = None,
        draws: float | None = None,
        batch_size: int | None = None,
        random_state: Any = 0,
    ) -> None:
        self.generator = generator
        self.prior = prior
        self.logit = logit
        self.method = method
        self.preset = preset
        self.space = space
        self.ratio = ratio
        self.critic_of = critic_of
        self.settings = settings
        self.features = features
        self.minutes = minutes
        self.evaluations = evaluations
        self.draws = draws
        self.batch_size = batch_size
        self.random_state = random_state

    def __getattr__(self, name: str) -> Any:
        base = self.__dict__.get("base_")
        if name in _OF_BASE and base is not None:
            return getattr(base, name)
        if name in _NOT_HERE:
            who = "its generator may: model.base_"
            raise MissingMethodError(f"A refined model has no {name}(); {who}.{name}.")
        raise AttributeError(f"'RefinedModel' object has no attribute {name!r}")

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        folder: Folder | Checkpoint | None = None,
        report: Callable[[str, float], None] | None = None,
    ) -> Self:
        """Learn what makes samples better.

        Args:
            X: real data like those of the generator's ``fit``, best some it was not fitted on.
            y: labels of images, for the features of the test; those of an ``ImageSet`` are used
                where it is None.
            folder: for the work done so far. A refinement that was killed and is repeated with
                the same data and parameters goes on from there, to the same result, and neither
                learns nor searches again what it had; the folder is removed when it is done.
                What was under way begins again, the learning of one logit or the search for the
                settings of one stage, and so do features that are learned. Time that was spent
                counts in ``minutes``.
            report: called with a line of text and the share done.

        Returns:
            The model itself.

        Raises:
            DataError, ParameterError, UnsupportedError: as :func:`refine`.
        """
        before = dict(vars(self))
        try:
            with self.prepare(X, y, report, refit=True, folder=folder) as setup:
                settings = current_settings(self.method, self.settings)
                method, settings = resolved(self.method, self.preset, settings, self.adapter_)
                self.set_refinement(run(setup, method, settings, self.space))
                if setup.checkpoint is not folder:  # a caller who made it still has to save
                    setup.checkpoint.discard()
        except BaseException:  # what it was fitted to before is left as it was
            vars(self).clear()
            vars(self).update(before)
            raise
        return self

    def set_refinement(self, refinement: Refinement) -> None:
        """Be what a refinement came to."""
        earlier, report = self.earlier, refinement.report
        self.kept_ = list(refinement.state.kept)
        self.report_ = report if earlier is None else report.after_more(earlier.report_)
        self.place_ = refinement.place
        self.first_logit_ = refinement.first if earlier is None else earlier.first_logit_

    @property
    def earlier(self) -> "RefinedModel | None":
        """The refined model that this one refines again."""
        return self.generator if isinstance(self.generator, RefinedModel) else None

    @contextmanager
    def prepare(
        self,
        X: Any,
        y: Any,
        report: Report | None,
        *,
        refit: bool = False,
        folder: Folder | Checkpoint | None = None,
    ) -> Iterator[Setup]:
        """The setup for such data; inside, all networks are frozen.

        With ``refit`` a density that was fitted on the data is judged by its refit.
        """
        self._check_parameters()
        seed, earlier = drawn_seed(self.random_state), self.earlier
        self.base_, self.prior_ = self.generator, self.prior
        if earlier is not None:
            check_fitted(earlier)
            if self.prior is not None:
                raise ParameterError("A refined model knows its prior. Leave prior out.")
            self.base_, self.prior_ = earlier.base_, earlier.prior_
        plain = self.logit is not None
        self.adapter_ = adapter = adapter_of(self.base_, self.prior_, X, plain=plain)
        other = None if self.critic_of is None else with_critic(self.critic_of)
        size = self.block_size(adapter)
        with self.frozen_networks(other):
            check_generator(adapter)
            work, seed = self._opened(folder, adapter, other, (X, y), seed)
            rows = adapter.encode(X, seed)
            check_rows(rows)
            with _threads(adapter, rows):
                ready = prepared(
                    self, adapter, other, (X, y, rows), seed, size, report,
                    earlier=earlier, refit=refit, work=work,
                )  # fmt: skip
                self.adapter_, self.row_features_ = ready.adapter, ready.features
                self.known_values_ = ready.known_values
                yield ready.setup

    def _opened(
        self,
        folder: Folder | Checkpoint | None,
        adapter: Adapter,
        other: Adapter | None,
        data: tuple[Any, Any],
        seed: int,
    ) -> tuple[Checkpoint, int]:
        """What an interrupted refinement of the like has done, and the seed to go on with."""
        if folder is None:
            return Checkpoint(), seed
        X, y = data
        rows = adapter.encode(X, 0)
        check_rows(rows)
        processes = Processes()
        work = folder
        if not isinstance(work, Checkpoint):
            work = Checkpoint(work, writes=processes.first)
        with _threads(adapter, rows):
            size = self.block_size(adapter)
            identity = identity_of(self, adapter, other, rows, y, size)
        seed = work.open(identity, seed, asked=self.random_state is not None)
        processes.barrier()  # until all have read what the first will write anew
        return work, seed

    def sample(
        self, n_samples: int = 1, random_state: Any = None, *, complete: bool = False
    ) -> Any:
        """Draw refined rows, in the form the generator has them.

        Args:
            n_samples: how many.
            random_state: an int repeats them, whatever the batch size and number of processes.
            complete: whether no cell of a table is missing. Else the cells are missing that the
                generator would leave out of such rows.

        Returns:
            What the generator's ``sample`` returns; of a function of latents, a tensor.
        """
        seed = self._seed_of(n_samples, random_state)
        with torch.no_grad(), self.frozen_networks():
            rows = self._refined.rows(n_samples, seed)
            return self._written(rows, None if complete else drawn_gaps(self.base_, rows, seed))

    def weighted_sample(self, n_samples: int, random_state: Any = None) -> tuple[Any, Any]:
        """Draw rows of the generator as it was, and importance weights (n,) of sum 1.

        For means rather than samples: nothing is thrown away and nothing moved. Weights are by
        the logit that refinement began with; where few rows have nearly all the weight, means are
        worse than of :meth:`sample`, and a warning says so.
        """
        seed = self._seed_of(n_samples, random_state)
        with torch.no_grad(), self.frozen_networks():
            space = self._before_choice
            points = space.points(n_samples, seed)
            weight = importance_weights(space.logits(self.first_logit_, points))
            share = effective_sample_size(weight) / n_samples
            if share < _EFFECTIVE:
                warnings.warn(
                    f"The weights of {n_samples} rows tell as much as {share:.1%} of them would: "
                    "generator and data hardly overlap. Take means over sample() instead.",
                    stacklevel=stacklevel_of_caller(),
                )
            rows = self._written(space.decoded(points))
        return rows, weight if isinstance(rows, Tensor) else weight.cpu().numpy()

    def before_after(self, n_samples: int, random_state: Any = None) -> tuple[Any, Any]:
        """Draw rows of the generator, and what becomes of the same ones: nothing is thinned."""
        seed = self._seed_of(n_samples, random_state)
        with torch.no_grad(), self.frozen_networks():
            pairs = moved_pairs(
                self.adapter_,
                self.kept_,
                self.place_,
                self.block_size(self.adapter_),
                n_samples,
                seed,
            )
        return self.adapter_.to_user(pairs[0]), self._written(pairs[1])

    def account(self) -> str:
        """What was tried, for people."""
        return str(self.report_)

    def cite(self) -> str:
        """BibTeX of the papers the method and the generator are from."""
        of_base = self.base_.cite() if "cite" in methods_of(self.base_) else ""
        methods = [METHODS.get(self.method, DGflow)]  # a preset without a method is DGflow's
        if self.method == "auto" and not self.preset:
            methods.append(BudgetedRejection)
        papers = [paper for method in methods for paper in method.papers]
        return "\n\n".join(filter(None, (bibtex(papers), of_base)))

    # Inside

    @property
    def _refined(self) -> Space:
        return self._after(self.kept_)

    @property
    def _before_choice(self) -> Space:
        """Where rows are weighed: what the generator makes, with the margins of the data."""
        first = [*takewhile(lambda stage: stage.logit is None, self.kept_)]
        return self._after(first)

    def _after(self, kept: list[KeptStage]) -> Space:
        return space_after(self.adapter_, kept, self.place_, self.block_size(self.adapter_))

    def _written(self, rows: Tensor, gaps: Mapping[int, np.ndarray] | None = None) -> Any:
        """Rows as the user has them, repeated numbers as the data spell them.

        Args:
            rows: of the adapter.
            gaps: which cells (n,) of a table are missing, by the number of the column.
        """
        if gaps:
            table = self.base_.columns_.decode(rows.double(), gaps=gaps)
        else:
            table = self.adapter_.to_user(rows)
        return with_nearest_values(table, self.known_values_)

    def block_size(self, adapter: Adapter) -> int:
        if self.batch_size is not None:
            return self.batch_size
        return _IMAGES_AT_ONCE if adapter.kind in ("images", "text") else BATCH

    @contextmanager
    def frozen_networks(self, other: Adapter | None = None) -> Iterator[None]:
        given = [f for f in (self.logit, self.features) if callable(f)]
        more = other.functions if other is not None else ()
        # what is made in inference mode has no gradients ever
        with (
            torch.inference_mode(False), torch.no_grad(),
            frozen(*self.adapter_.functions, *given, *more),
        ):  # fmt: skip
            yield

    def _seed_of(self, n: Any, random_state: Any) -> int:
        self._check_fitted()
        if not isinstance(n, (int, np.integer)) or n < 1:
            raise ParameterError(f"n_samples is {n!r}. Expected a whole number of at least 1.")
        return drawn_seed(random_state)

    def _abilities(self) -> dict[str, Any]:
        known = {**super()._abilities(), "kind": self.adapter_.kind, "drawn_together": True}
        if self.adapter_.model is None:
            return known  # of a function, or a model of which samples are all that is known
        base = capabilities_of(self.base_)
        return {
            **known,
            "codec": base.codec,
            "networks": base.networks,
            "device": base.device,
            "history": base.history,
        }

    def _check_parameters(self) -> None:
        if self.generator is None:
            raise ParameterError("There is no generator. Give a model, or a function and a prior.")
        super()._check_parameters()
        if self.settings and self.method == "auto":
            raise ParameterError(
                f"settings are {dict(self.settings)}, and method is 'auto', which chooses its "
                "own. Name a method, or give minutes, evaluations or draws."
            )
        if self.method != "auto":
            METHODS[self.method].with_settings(current_settings(self.method, self.settings))

    def __sklearn_is_fitted__(self) -> bool:
        return "report_" in self.__dict__

    # Copies

    def __reduce_ex__(self, protocol: Any) -> Any:
        """As a folder would hold it: an adapter is made of functions, which no pickle takes.

        What no folder holds, such as a generator that is a function, is copied as it is.
        """
        if not self.__sklearn_is_fitted__():
            return super().__reduce_ex__(protocol)
        try:
            return _unpacked, packed(self)
        except UnsupportedError:
            return super().__reduce_ex__(protocol)

    # Saving

    def _state(self) -> dict[str, Any]:
        return saving.state_of(self)

    def _tensors(self) -> dict[str, Tensor]:
        return saving.tensors_of(self)

    def _restore(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        if isinstance(self.settings, list):
            self.settings = dict(self.settings)
        saving.restore(self, state, tensors)
        _ = self._refined  # settings that make no space fail here, not in use

    def _card(self) -> str:
        return saving.card(self)


def _unpacked(config: dict[str, Any], tensors: dict[str, Tensor]) -> "RefinedModel":
    return unpacked(config, tensors, "the copy")


def _threads(adapter: Adapter, rows: Tensor) -> AbstractContextManager[None]:
    """The threads that suit such rows of a table, as fits of tables have them."""
    return threads_for(rows.numel()) if adapter.kind == "table" else nullcontext()

"""Real rows in three parts, and the two-sample test that chooses and gates on two of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from ..errors import DataError
from ..metrics.frechet import fid, frechet_influence
from ..metrics.measure import Measure
from ..metrics.out_of_distribution import auroc
from ..metrics.two_sample import classifier_two_sample, make_classifier

__all__ = [
    "SAME", "RealRows", "Verdict", "check_rows", "improves", "likelihood_gain", "parts_of",
]  # fmt: skip

_LEAST = 200
_TEST, _VALIDATION = (0.25, 4000), (0.2, 2000)  # shares of the rows, and the most there are
_MOST = 5000  # rows of one side that a test looks at
_FEWEST = 50  # rows that judge where there is hardly any time
_SAMPLES = 2000  # that are judged at the least, up to four for a real row
SAME = 1e-4  # nats: the best of tests would need more than ten thousand samples to see it
_Z = 1.645  # one-sided, 5 %; of samples that are far off 7 % of useless stages were seen to pass,
# for DeLong's variance leaves out that the classifier might have been another
_LEAST_AREA, _LEAST_SHARE = 5e-4, 0.01  # of the area, and of the distance: less is no gain
_FOLDS = 5
_TREES = "boosting"  # the classifier of columns of several kinds
_OF_NETWORK = "logistic"  # the classifier of features of a network, and of counts


def check_rows(rows: Tensor) -> None:
    """Refuse real rows that are too few for a test, or not finite.

    Raises:
        DataError: for under 200 rows, no rows of numbers, or values that are not finite.
    """
    if rows.ndim < 2:
        raise DataError(
            f"data has shape {tuple(rows.shape)}. Expected rows of numbers (n, d), from the "
            "generator too: a single number a row is (n, 1), as x[:, None] makes it."
        )
    if len(rows) < _LEAST:
        raise DataError(
            f"data has {len(rows)} rows. Expected at least {_LEAST}: some of them must tell "
            "whether refinement helps."
        )
    if not rows.isfinite().all():
        bad = int((~rows.flatten(1).isfinite().all(dim=1)).sum())
        raise DataError(f"data has {bad} row(s) with NaN or infinity. Leave them out first.")


def parts_of(n: int, seed: int) -> list[Tensor]:
    """Indices of the test, validation and training rows among n, drawn at random."""
    order = torch.from_numpy(np.random.default_rng(seed).permutation(n))
    test, validation = (min(most, round(share * n)) for share, most in (_TEST, _VALIDATION))
    return list(order.split([test, validation, n - test - validation]))


@dataclass(frozen=True)
class RealRows:
    """Real rows, split into training, validation and test rows.

    But for one thing: Fréchet distances are of the rows that judge and those that choose, of the
    few there are. Those chose by areas, and the distance after a stage is a little smaller for it.

    Attributes:
        train: 55 % of them or more, from which ratio networks learn.
        validation: a fifth, at most 2,000, to calibrate and to choose settings.
        test: a quarter, at most 4,000, to gate and to report.
        features: of rows, by which the test judges them: (n, d).
        classifier: of the test, "neighbours", "logistic" or "boosting".
        moments: whether a stage that helps may not raise the Fréchet distance of the features.
        samples: that are judged at the least, up to four for a real row.
        alone: whether the classifier that judges learns from the other folds of the rows that
            judge alone, since the generator has seen all others.
    """

    train: Tensor
    validation: Tensor
    test: Tensor
    features: Callable[[Tensor], np.ndarray]
    classifier: str = "neighbours"
    moments: bool = False
    samples: int = _SAMPLES
    alone: bool = False

    @classmethod
    def split(
        cls,
        rows: Tensor,
        features: Callable[[Tensor], np.ndarray],
        seed: int,
        classifier: str = "neighbours",
        moments: bool = False,
    ) -> "RealRows":
        """Split at random.

        Raises:
            DataError: as :func:`check_rows`.
        """
        check_rows(rows)
        test, validation, train = (rows[part] for part in parts_of(len(rows), seed))
        return cls(train, validation, test, features, classifier, moments)

    @cached_property
    def _validation_features(self) -> np.ndarray:
        """Features of the validation rows, computed once."""
        return self.features(self.validation)

    @cached_property
    def _test_features(self) -> np.ndarray:
        return self.features(self.test)

    def auc(self, samples: Tensor, most: int = _MOST) -> Measure:
        """AUC between samples and the rows that choose, cross-validated."""
        return self._area(self.features(samples[:most]), most)

    def _area(self, made: np.ndarray, most: int) -> Measure:
        # trees take seconds, and settings are many
        kind = "neighbours" if self.classifier == _TREES else self.classifier
        return classifier_two_sample(self._validation_features[:most], made, classifier=kind)

    def nearness(self, samples: Tensor, most: int) -> tuple[float, float]:
        """What settings are chosen by: that area, and the Fréchet distance to the same rows.

        The latter is 0 unless it is judged by what a network sees of images: of other features
        the area alone chooses.
        """
        made, distance = self.features(samples[:most]), 0.0
        if self.moments and self.classifier == _OF_NETWORK:
            distance = fid(self._validation_features[:most], made, interval=False).value
        return self._area(made, most).value, distance

    @cached_property
    def _known(self) -> np.ndarray:
        """Further rows that the classifier of the test is trained on, besides the other folds.

        Trees want all rows there are. None of these is judged, so that a ratio may have learned
        from them as well.
        """
        if self.alone:
            return self._validation_features[:0]
        if self.classifier != _TREES:
            return self._validation_features
        return np.concatenate([self._validation_features, self.features(self.train[:_MOST])])

    @property
    def drawn(self) -> int:
        """Samples that :meth:`verdict` wants: where real rows are few, more than of those.

        Of images and wide rows, whose samples are dear, no more than are needed.
        """
        few = min(self.samples, 4 * len(self.test))
        others = 0 if self.alone else len(self.validation)
        if self.classifier == _TREES and not self.alone:
            others += min(len(self.train), _MOST)
        return (few if self.moments else max(len(self.test), few)) + others

    def fewer(self, most: int) -> "RealRows":
        """The same with fewer validation and test rows, for a verdict of about ``most`` samples.

        No fewer than fifty rows judge.
        """
        share = most / self.drawn
        test, validation = (
            part[: max(_FEWEST, round(share * len(part)))] for part in (self.test, self.validation)
        )
        train, samples = self.train, max(2 * _FEWEST, round(share * self.samples))
        if self.classifier == _TREES:
            train = train[: max(2 * _FEWEST, round(share * min(len(train), _MOST)))]
        return replace(self, train=train, validation=validation, test=test, samples=samples)

    def verdict(self, samples: Tensor) -> "Verdict":
        """AUC between samples and the test rows, with its significance.

        Scores are of a classifier that has other samples, the rows that choose and the other
        folds of those that judge: it learns from more rows than are judged; a test of only as many
        would find samples nearer to the data than they are. Ranks are within folds.
        """
        test, known, made = self._test_features, self._known, self.features(samples)
        n = len(made) - len(known)
        verdict = _held_out(test, known, made[:n], made[n:], self.classifier)
        if self.moments:
            real = np.concatenate([test, known])
            distance, of_real, of_made = frechet_influence(real, made)
            verdict.measure.details["frechet"] = distance
            scatter = float(np.var(of_made, ddof=1)) / len(made)
            return replace(verdict, influence=of_real, scatter=scatter)
        return verdict

    def floor(self) -> Measure:
        """AUC between real rows and other real rows: what samples from the data would have."""
        n = len(self.test)
        spare = self.train[: n + len(self.validation)]
        half = max(1, round(len(spare) * n / (n + len(self.validation))))
        made = self.features(spare)
        parts = (self._test_features, self._validation_features, made[:half], made[half:])
        return _held_out(*parts, self.classifier).measure


def likelihood_gain(
    real: Tensor,
    drawn: Tensor,
    other_real: Tensor | None = None,
    other_drawn: Tensor | None = None,
) -> tuple[float, float]:
    """What thinning adds to the mean log-likelihood of real rows, in nats, and its error.

    Samples of density p that are kept with probability a(x) have density ``a(x) p(x) / E_p[a]``:
    the gain is ``E_real[log a] - log E_p[a]``, known without knowing p. It sees what a two-sample
    test of as many rows does not: that modes have a little too much mass or too little.

    Args:
        real: (n,) log acceptance of held-out real rows.
        drawn: (m,) log acceptance of samples that were not learned from.
        other_real, other_drawn: by another acceptance, of the same rows; then the gain is over
            that one, and its error is the smaller for what both share.

    Returns:
        The gain and its standard error.

    Examples:
        Half of the samples are of a kind that data is not, and of those half are kept:

        >>> log_half = torch.tensor(0.5).log()
        >>> drawn = torch.cat([torch.zeros(500), log_half.expand(500)])
        >>> gain, _ = likelihood_gain(torch.zeros(100), drawn)
        >>> round(gain, 4)  # log(4 / 3)
        0.2877
    """
    real, share = real.double(), drawn.double().exp()
    gain, share = real.mean() - share.mean().log(), share / share.mean()
    if other_real is not None and other_drawn is not None:
        other, by_other = other_real.double(), other_drawn.double().exp()
        gain = gain - (other.mean() - by_other.mean().log())
        real, share = real - other, share - by_other / by_other.mean()
    variance = real.var() / len(real) + share.var() / len(share)
    return float(gain), float(variance.sqrt())


@dataclass(frozen=True)
class Verdict:
    """The result of the test on samples.

    Attributes:
        measure: the area.
        beaten: (n,) for each real row that judges, the share of the samples that it beats.
        variance: of the area, of what it owes to the samples that were drawn.
        gain: of :func:`likelihood_gain` and its error, of what thins.
        influence: of each real row on the Fréchet distance, where that is judged.
        scatter: variance of that distance, of what it owes to the samples.
    """

    measure: Measure
    beaten: np.ndarray
    variance: float
    gain: tuple[float, float] = (0.0, 0.0)
    influence: np.ndarray = field(default_factory=lambda: np.zeros(2))
    scatter: float = 0.0


def improves(before: Verdict, after: Verdict) -> bool:
    """Whether the test finds samples nearer to the data than before, beyond chance.

    The real rows are the same in both and the samples are not: DeLong's variance of the difference
    of two areas that share one side, and likewise of that of two Fréchet distances. Of rows of few
    numbers what thins may instead raise the likelihood of the real rows beyond chance, as long as
    the test does not find samples farther off. Of images and wide rows the Fréchet distance of
    the features must not have grown either: of principal components by more than the error of its
    change, and of what a network sees of images, by which they are judged, at all. Where it has
    fallen beyond chance an area that is no larger will do: where rows are few and features many,
    moments show what neighbours do not. What is beyond chance and still nothing, under half a
    thousandth of the area or a hundredth of the distance, does not count.
    """
    wide = "frechet" in after.measure.details
    distance = [v.measure.details.get("frechet", 0.0) for v in (before, after)]
    change = np.var(after.influence - before.influence, ddof=1) / len(after.influence)
    unsure = math.sqrt(float(change) + before.scatter + after.scatter)
    fallen = distance[0] - distance[1]
    strict = after.measure.details["classifier"] == _OF_NETWORK
    if fallen < (0 if strict else -unsure):
        return False
    gain = before.beaten - after.beaten
    variance = before.variance + after.variance
    if len(gain) > 1:
        variance += float(np.var(gain, ddof=1)) / len(gain)
    area = float(gain.mean())
    nearer = area / max(variance, 1e-300) ** 0.5
    nats, error = after.gain
    if fallen > max(_Z * unsure, _LEAST_SHARE * distance[0]):
        return nearer >= 0
    if not wide and nats > max(SAME, _Z * error) and nearer > -_Z:
        return True
    return nearer > _Z and area >= _LEAST_AREA


def _held_out(
    test: np.ndarray, known: np.ndarray, made: np.ndarray, others: np.ndarray, kind: str
) -> Verdict:
    """Cross-validated AUC of test rows against samples, with further training rows of both."""
    rng = np.random.default_rng(0)
    groups = [rng.permutation(len(x)) % _FOLDS for x in (test, made)]
    scores = [np.empty(len(x)) for x in (test, made)]
    for fold in range(_FOLDS):
        here = [group == fold for group in groups]
        real = np.concatenate([known, test[~here[0]]])
        fake = np.concatenate([others, made[~here[1]]])[: len(real)]
        model = make_classifier(kind, 0)
        model.fit(np.concatenate([real, fake]), np.repeat([1, 0], [len(real), len(fake)]))
        tested = np.concatenate([test[here[0]], made[here[1]]])
        ranks = rankdata(model.predict_proba(tested)[:, 1]) / len(tested)
        scores[0][here[0]], scores[1][here[1]] = np.split(ranks, [int(here[0].sum())])
    area = auroc(*scores)
    details = {
        "n_real": len(test),
        "n_generated": len(made),
        "classifier": kind,
        "folds": _FOLDS,
    }
    measure = Measure("two_sample_auroc", area.value, area.interval, "lower", details)
    ranks = rankdata(np.concatenate(scores))
    beaten = (ranks[: len(test)] - rankdata(scores[0])) / len(made)
    beating = (ranks[len(test) :] - rankdata(scores[1])) / len(test)
    return Verdict(measure, beaten, float(np.var(beating, ddof=1)) / len(made))

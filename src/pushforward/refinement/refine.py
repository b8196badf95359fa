"""Refinement of any generator: move, then thin, and return only what helps on held-out rows."""

from collections.abc import Callable, Mapping
from typing import Any

from ..deprecation import renamed
from ..estimators.prior import Prior
from ..storage.checkpoint import Folder
from ..validation import as_seed
from .logit_gradients import Score
from .refined_model import RefinedModel

__all__ = ["refine"]


@renamed(seed="random_state", labels="y")
def refine(
    generator: Any,
    data: Any,
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
    y: Any = None,
    minutes: float | None = None,
    evaluations: float | None = None,
    draws: float | None = None,
    random_state: Any = 0,
    batch_size: int | None = None,
    folder: Folder | None = None,
    report: Callable[[str, float], None] | None = None,
) -> RefinedModel:
    """Make the samples of a trained generator better, and report whether that worked.

    ``method="auto"`` begins with the generator's own critic, or else learns a smooth ratio of
    densities; moves samples by DGflow with a step, noise and number of steps chosen by a
    two-sample test on held-out rows; learns the ratio anew on what was moved and moves
    again; and thins by optimal budgeted rejection. Tables with categories or whole numbers are
    weighed by boosted trees instead of being moved, behind the margins of the data where values
    repeat that the generator does not make. Every stage is
    judged on further held-out rows, and one that does not help beyond chance is left out: the
    model that comes back may be the generator as it was.

    Args:
        generator: a model of this library (of tables, images or text, or one refined already);
            anything with ``sample(n, random_state=)`` that gives rows of numbers (n, d); or, with
            ``prior``, a function of latents (n, ...) to rows (n, ...) in PyTorch. Its networks
            are used in evaluation mode and stay exactly as they are.
        data: real data like those the generator makes, at least 200. Best are some it was not
            trained on: a density of a mixed table that was fitted on these very rows is judged
            by a refit, fitted without those that judge. Of images and lines of text 20,000 are
            looked at. For a function or sampler of images also what ``open_images`` gives, read on
            the scale of the samples.
        prior: of the latents of a function; a number k stands for k standard normal ones.
        logit: of rows, log of real over generated density, calibrated here by a line. By default
            that of the generator's critic; where it has none, a network is trained.
        method: "auto", or one of "dgflow", "dot", "ddls", "mh", "drs", "rejection" (optimal
            budgeted) and "resampling" by itself.
        preset: "paper" for published settings, or one of
            :data:`~pushforward.refinement.PUBLISHED`. Alone it is DGflow's.
        space: what is moved, "data" or "latent"; "auto" is latents of image and text models with
            a generator, and of rows of more than 16 numbers, else data.
        ratio: how a network learns the logit: "direct", data against samples; "corrected",
            samples of the model whose critic is taken against samples, added to that critic;
            "residual", data against samples beside that critic, frozen (Ansari et al., 2021,
            section 3.3).
        critic_of: that model, a GAN fitted on the same data.
        settings: of the method, as the function of that name takes them.
        features: what the test and the learned ratio see of rows: a differentiable function
            (n, ...) to (n, d). For images also what the test alone sees: a name such as
            "inception", or an extractor of ``pushforward.metrics``.
        y: labels of images, for a test by features of a classifier.
        minutes: time for the whole run; the best so far is kept. With little time fewer rows
            judge, and what there is no time for is left out with a note.
        evaluations: of logits that one refined sample may take.
        draws: samples of the generator that one refined sample may take; "auto" takes up to 4.
        random_state: of everything that is drawn here.
        batch_size: rows whose activations are held in memory at once; changes nothing else.
        folder: for the work done so far, as of :meth:`RefinedModel.fit`: an interrupted refinement
            that is repeated goes on from there.
        report: called with a line of text and the share done; before anything is tried with
            what to expect.

    Raises:
        DataError: for rows that do not fit each other or are on two scales, or a network whose
            rows depend on their neighbours in the batch.
        ParameterError: for an unknown method, preset, space, ratio or setting, and for settings
            that exceed a budget.
        UnsupportedError: for what can be neither sampled nor called, or a method that needs
            latents where there are none.

    Examples:
        A generator that is off by one, and a logit that knows it:

        >>> import torch
        >>> draw = torch.Generator().manual_seed(0)
        >>> data = torch.randn(5000, 1, generator=draw) + 1
        >>> model = refine(lambda z: z, data, prior=1, logit=lambda x: x[:, 0] - 0.5,
        ...                method="dgflow")
        >>> model.report_.helped, model.report_.before.value - model.report_.after.value > 0.1
        (True, True)
    """
    # where none is asked for, that of an interrupted refinement in the folder is used
    seed = None if folder is not None and random_state is None else as_seed(random_state)
    model = RefinedModel(
        generator, prior=prior, logit=logit, method=method, preset=preset, space=space,
        ratio=ratio, critic_of=critic_of, settings=settings, features=features, minutes=minutes,
        evaluations=evaluations, draws=draws, batch_size=batch_size, random_state=seed,
    )  # fmt: skip
    return model.fit(data, y, folder=folder, report=report)

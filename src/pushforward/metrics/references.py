"""The papers behind each measure, which ``Evaluation.cite`` lists."""

from collections.abc import Iterable

from .features.resize import RESIZERS
from .measure import Measure, entry_of

__all__ = ["PAPERS", "papers_of"]

#: Keys of ``citations.py`` by the name of the measure, as :data:`LIMITATIONS` has it.
PAPERS: dict[str, tuple[str, ...]] = {
    "fid": ("heusel2017gans",),
    "kid": ("binkowski2018demystifying",),
    "precision": ("kynkaanniemi2019improved",),
    "recall": ("kynkaanniemi2019improved",),
    "density": ("naeem2020reliable",),
    "coverage": ("naeem2020reliable",),
    "inception_score": ("salimans2016improved",),
    "ms_ssim_diversity": ("odena2017conditional", "wang2003multiscale"),
    "ms_ssim_diversity_small": ("odena2017conditional", "wang2003multiscale"),
    "independent_critic": ("danihelka2017comparison", "gulrajani2017improved"),
    "sliced_wasserstein": ("bonneel2015sliced",),
    "mmd2": ("gretton2012kernel",),
    "two_sample_auroc": ("lopezpaz2017revisiting",),
    "auroc [typicality]": ("nalisnick2019detecting",),
    "auroc [input complexity]": ("serra2020input",),
    "js": ("gulrajani2017improved",),
    "high_quality": ("srivastava2017veegan",),
    "modes_found": ("srivastava2017veegan",),
    "train_on_synthetic": ("esteban2017real",),
    "closer_to_train": ("platzer2021holdout",),
}

#: By the beginning of the features' name.
_FEATURES = {"inception-v3": "szegedy2016rethinking", "cifar10-resnet": "he2016deep"}


def papers_of(measures: Iterable[Measure]) -> list[str]:
    """Keys of the papers behind measures and the features they were made from, each once.

    >>> inception = {"features": "inception-v3-2015-12-05"}
    >>> papers_of([Measure("fid", 1.0, details=inception), Measure("js_4", 0.1)])
    ['heusel2017gans', 'szegedy2016rethinking', 'gulrajani2017improved']
    """
    found: list[str] = []
    for measure in measures:
        found.extend(entry_of(PAPERS, measure.name) or ())
        features = str(measure.details.get("features", ""))
        found.extend(key for begin, key in _FEATURES.items() if features.startswith(begin))
        if RESIZERS["antialiased"] in str(measure.details.get("preprocessing", "")):
            found.append("parmar2022aliased")
    return list(dict.fromkeys(found))

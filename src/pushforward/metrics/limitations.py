"""The limitations of each measure, printed beside its figures."""

from .measure import entry_of

__all__ = ["LIMITATIONS", "limitation_of"]

#: By the name of the measure. A suffix in brackets, as of one level of a model, counts as none.
LIMITATIONS: dict[str, str] = {
    "fid": (
        "Everything but mean and covariance of the features, and all that the features do not "
        "see. Memorised training rows score as well as new ones. Larger for smaller samples."
    ),
    "kid": (
        "Memorised training rows, and what the features do not see. Weighs large features most; "
        "rare modes hardly move it."
    ),
    "precision": "Modes that are missing, and copies of real rows. One outlier among the real "
    "rows makes a ball that much falls into.",
    "recall": "Quality: samples spread far apart make large balls that hold all real rows.",
    "density": "Modes that are missing: a generator that repeats one typical row scores high.",
    "coverage": "Poor samples beside good ones, and copies of real rows.",
    "inception_score": (
        "The real data, which it never looks at; variety within a class; quality where the "
        "classifier is sure all the same. One perfect image a class gets the best score."
    ),
    "ms_ssim_diversity": "Quality: noise is the most varied set. Compare with real images only.",
    "ms_ssim_diversity_small": "Quality: noise is the most varied set. Compare with real images "
    "only, and never with the standard convention.",
    "independent_critic": (
        "What its critic has not learned in the steps it had; differences finer than its network "
        "can tell."
    ),
    "wasserstein_1": "Fine structure in many dimensions: samples of one distribution are far "
    "apart too. Memorised training rows.",
    "wasserstein_2": "Fine structure in many dimensions: samples of one distribution are far "
    "apart too. Memorised training rows.",
    "sliced_wasserstein_1": "Dependence that few projections show; rare modes; memorised rows.",
    "sliced_wasserstein_2": "Dependence that few projections show; rare modes; memorised rows.",
    "max_sliced_wasserstein_2": "All directions but the worst; memorised training rows.",
    "mmd2": "Differences at other scales than the kernel's bandwidths; memorised training rows. "
    "Weak in many dimensions.",
    "two_sample_auroc": (
        "What its classifier cannot learn. Near 1 it no longer ranks: a faint artefact and noise "
        "are both told with certainty. Memorised training rows."
    ),
    "nats_per_row": (
        "What samples look like: a model can score well and sample badly, and the other way "
        "round (Theis et al. 2016). Depends on the units of the columns."
    ),
    "bits_per_dimension": (
        "What samples look like. Low-level texture makes up most of it, objects hardly any."
    ),
    "auroc": "Whether the density is right: only the order of the scores counts, and only for "
    "this one other kind of data.",
    "average_precision": "Other shares of the other kind than those here.",
    "fpr_at_95": "Every threshold but one; the few normal rows that set it.",
    "js_4": "Anything longer than four characters: words, grammar, sense. Copied lines.",
    "js_6": "Anything longer than six characters: grammar, sense. Copied lines.",
    "js": "Anything longer than the n-grams. Copied lines.",
    "high_quality": (
        "Collapse: samples that shrink to the centres, or to one mode, reach 1. Never choose a "
        "model by it alone."
    ),
    "modes_found": "How the mass is shared between modes, and quality away from them.",
    "mode_imbalance": "The shape within each mode, and rows that belong to none.",
    "column_fidelity": "All dependence between columns. Copied training rows.",
    "pair_fidelity": "Dependence of more than two columns at once; of two ordered ones all that "
    "their rank correlation leaves out. Copied training rows.",
    "broken_dependence": "Dependence of more than two columns at once, weak dependence, and "
    "dependence that samples exaggerate. Copied training rows.",
    "train_on_synthetic": "All that does not help to predict the one target. Copied training "
    "rows score best.",
    "closer_to_train": "Quality: noise is as far from training as from held-out rows. Memory of "
    "fewer than six rows.",
}


def limitation_of(name: str) -> str:
    """The limitation of the measure of that name; empty for one that is not known.

    >>> limitation_of("auroc [level 2]") == LIMITATIONS["auroc"]
    True
    """
    return entry_of(LIMITATIONS, name) or ""

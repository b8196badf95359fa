"""Measures as people say them, and figures with as many digits as they deserve."""

import math

__all__ = ["figure", "title_of"]

_TITLES = {
    "fid": "Fréchet distance (FID)",
    "kid": "Kernel distance (KID)",
    "inception_score": "Inception score",
    "ms_ssim_diversity": "MS-SSIM between samples",
    "ms_ssim_diversity_small": "MS-SSIM between samples, small images",
    "independent_critic": "Independent Wasserstein critic",
    "wasserstein_1": "Wasserstein-1 distance",
    "wasserstein_2": "Wasserstein-2 distance",
    "sliced_wasserstein_1": "Sliced Wasserstein-1 distance",
    "sliced_wasserstein_2": "Sliced Wasserstein-2 distance",
    "mmd2": "Squared maximum mean discrepancy",
    "two_sample_auroc": "Told from real rows, AUROC",
    "nats_per_row": "Log density, nats a row",
    "bits_per_dimension": "Bits per dimension",
    "auroc": "Other data found, AUROC",
    "average_precision": "Other data found, average precision",
    "fpr_at_95": "Other data passed at 95 % of real",
    "ood": "Other data",
    "prdc": "Precision, recall, density, coverage",
    "js_4": "Jensen-Shannon, 4-grams",
    "js_6": "Jensen-Shannon, 6-grams",
    "train_on_synthetic": "Train on samples, test on real",
    "closer_to_train": "Closer to training than to held-out rows",
}


def title_of(name: str) -> str:
    """What the page calls a measure.

    >>> title_of("auroc [level 2]"), title_of("pair_fidelity")
    ('Other data found, AUROC [level 2]', 'Pair fidelity')
    """
    plain, space, rest = name.partition(" ")
    words = _TITLES.get(plain, plain.replace("_", " ").capitalize())
    return words + space + rest


def figure(value: float, interval: tuple[float, float] | None = None) -> str:
    """A figure to two digits of its uncertainty; to four of its own where there is none.

    >>> figure(12.3456, (12.1, 12.6)), figure(0.98765, (0.9871, 0.9882)), figure(0.5)
    ('12.35', '0.98765', '0.5')
    >>> figure(-1234567.0, (-1234667.0, -1234467.0)), figure(3.2e-7, (1e-7, 5e-7))
    ('−1,234,567', '3.2e−7')
    """
    half = 0.0 if interval is None else (interval[1] - interval[0]) / 2
    size = max(abs(value), half)
    if size == 0:
        text = "0"
    elif size < 1e-3 or size >= 1e8:
        mantissa, exponent = f"{value:.1e}".split("e")
        text = f"{mantissa}e{int(exponent)}"
    elif half > 0:
        text = f"{value:,.{min(max(0, 1 - math.floor(math.log10(half))), 5)}f}"
    else:
        text = f"{value:,.4g}" if size < 1e4 else f"{value:,.0f}"
    return text.replace("-", "\N{MINUS SIGN}")

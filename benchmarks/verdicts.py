"""How often verdicts in words are false, where the truth is known, and how often true ones fall.

python -m benchmarks.verdicts
python -m benchmarks.verdicts --verdicts remembers --repeats 200
"""

import argparse
import warnings

from .common import RESULTS, run_all

KEY = ("verdict", "case", "repeats")
DIMENSIONS = (2, 8, 64, 512)
ROWS, SAMPLES = 300, 300  # real ones on each side, and samples, that memory is looked for in
COPIES = 1000  # samples of which one in a hundred is copied, beside half as many real rows
NOTHING_HAPPENED = ("alike", "off", "far")


# "The generator remembers training rows": metrics/privacy.py


def _samples(case, rng, n, d):
    """Samples that know nothing of the training rows, which are standard normal."""
    import numpy as np

    if case == "fresh":
        return rng.normal(size=(n, d))
    if case == "collapsed":  # to five points, and a little around them
        return rng.normal(size=(5, d))[rng.integers(5, size=n)] + 0.01 * rng.normal(size=(n, d))
    if case == "blurred":
        return 0.2 * rng.normal(size=(n, d))
    if case == "wide":
        return 3 * rng.normal(size=(n, d))
    return np.repeat(rng.normal(size=(n // 10, d)), 10, axis=0)  # duplicated


def _spacing(rows):
    """Mean distance of a row to the nearest other."""
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=2).fit(rows).kneighbors(rows)[0][:, 1].mean()


def _remembers(case, repeats):
    import numpy as np
    from sklearn.covariance import ledoit_wolf

    from pushforward.metrics import nearest_neighbour_privacy

    said = []
    for d in DIMENSIONS:
        for repeat in range(repeats):
            rng = np.random.default_rng([d, repeat])
            if case == "copies":
                train, held_out, samples = (
                    rng.normal(size=(n, d)) for n in (COPIES // 2, COPIES // 2, COPIES)
                )
                samples[: COPIES // 100] = train[: COPIES // 100]
            else:
                train, held_out = rng.normal(size=(2, ROWS, d))
                if case == "fitted":  # a Gaussian knows moments, and no row
                    factor = np.linalg.cholesky(ledoit_wolf(train)[0])
                    samples = rng.normal(size=(SAMPLES, d)) @ factor.T + train.mean(0)
                elif case == "kernels":  # rows with noise a fifth as far as the next one
                    scale = 0.2 * _spacing(train) / np.sqrt(d)
                    samples = train + scale * rng.normal(size=train.shape)
                else:
                    samples = _samples(case, rng, SAMPLES, d)
            found = nearest_neighbour_privacy(train, held_out, samples, random_state=repeat)
            said.append(bool(found.warnings))
    return said


# "The samples have collapsed": adversarial/adversarial_model.py


PARTS = {"half": 1 / 2, "quarter": 1 / 4, "sixth": 1 / 6, "tenth": 1 / 10}


def _collapsed(case, repeats):
    """Samples as diverse as a part of the images says; a fifth is where collapse begins.

    There are as many samples and images as are held out of 400.
    """
    import torch

    from pushforward.models.image_generator import _COLLAPSED, diversity

    said = []
    for repeat in range(repeats):
        draw = torch.Generator().manual_seed(repeat)
        real = torch.randn(20, 1, 8, 8, generator=draw) / 3
        made = torch.randn(20, 1, 8, 8, generator=draw) / 3
        spread = diversity(real, made * PARTS[case])
        said.append(spread < _COLLAPSED)
    return said


# "Kept", "helped": refinement/judging.py and all of refine


def _kept(case, repeats):
    """Samples of one law before and after: a stage that does nothing."""
    import numpy as np
    import torch

    from pushforward.refinement.acceptance_test import RealRows, improves

    said = []
    for classifier in ("neighbours", "logistic", "boosting"):
        for repeat in range(repeats):
            draw = torch.Generator().manual_seed(repeat)
            rows = torch.randn(800, 3, generator=draw)
            real = RealRows.split(rows, lambda x: x.double().numpy(), repeat, classifier)
            shift = dict(zip(NOTHING_HAPPENED, (0.0, 1.0, 4.0), strict=True))[case]
            before, after = (
                real.verdict(torch.randn(real.drawn, 3, generator=draw) + shift) for _ in range(2)
            )
            said.append(improves(before, after))
    assert np.isin(said, (True, False)).all()
    return said


def _helped(case, repeats):
    """All of the recipe, for a generator that makes the data already, or is off by one."""
    import torch

    from pushforward.refinement import refine

    said = []
    for repeat in range(repeats):
        draw = torch.Generator().manual_seed(repeat)
        shift = {"nothing to do": 0.0, "off by one": 1.0}[case]
        data = torch.randn(1000, 2, generator=draw) + shift
        said.append(refine(lambda z: z, data, prior=2, random_state=repeat).report_.helped)
    return said


# "Nothing beat one Gaussian": sliced/selection.py


def _beaten(case, repeats):
    """Whether a model other than one Gaussian is chosen, of normal rows and of two moons."""
    import numpy as np
    from sklearn.datasets import make_moons

    import pushforward

    said = []
    for repeat in range(repeats):
        rng = np.random.default_rng(repeat)
        rows = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 2))
        if case == "two moons":
            rows = make_moons(400, noise=0.1, random_state=repeat)[0]
        model = pushforward.AutoDensity(random_state=repeat).fit(rows)
        said.append("nothing beat one Gaussian" not in model.account())
    return said


# "Is best ..., beyond doubt": report/measured.py


def _beyond_doubt(case, repeats):
    """Whether one of two samples is told from the other, measure by measure."""
    import numpy as np

    import pushforward
    from pushforward.report.measure_table import _overlap

    said = []
    for repeat in range(repeats):
        rng = np.random.default_rng(repeat)
        real, a, b = rng.normal(size=(3, 500, 4))
        b = b + {"alike": 0.0, "off by one": 1.0}[case]
        parts = (pushforward.evaluate(x, real, random_state=repeat).measures for x in (a, b))
        said += [not _overlap(*both) for both in zip(*parts, strict=True) if both[0].better]
    return said


#: For each verdict how it is reached, the cases where it is false, and those where it is true.
VERDICTS = {
    "remembers": (
        _remembers,
        ("fresh", "collapsed", "blurred", "wide", "duplicated", "fitted"),
        ("copies", "kernels"),
    ),
    "collapsed": (_collapsed, ("half", "quarter"), ("sixth", "tenth")),
    "kept": (_kept, NOTHING_HAPPENED, ()),
    "helped": (_helped, ("nothing to do",), ("off by one",)),
    "beats one Gaussian": (_beaten, ("normal",), ("two moons",)),
    "beyond doubt": (_beyond_doubt, ("alike",), ("off by one",)),
}  # fmt: skip
REPEATS = {
    "remembers": 50,
    "collapsed": 500,
    "kept": 60,
    "helped": 10,
    "beats one Gaussian": 10,
    "beyond doubt": 20,
}


def work(verdict, case, repeats):
    """Reach one verdict so often."""
    reach, false, _ = VERDICTS[verdict]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        said = reach(case, repeats)
    return {"true": case not in false, "said": sum(map(bool, said)), "of": len(said)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verdicts", nargs="+", default=[*VERDICTS], choices=[*VERDICTS])
    parser.add_argument("--repeats", type=int, help="of each case; by default what each needs")
    parser.add_argument("--timeout", type=float, default=3600)
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    jobs = [
        {"verdict": name, "case": case, "repeats": options.repeats or REPEATS[name]}
        for name in options.verdicts
        for part in VERDICTS[name][1:]
        for case in part
    ]
    run_all(
        jobs, work=work, key=KEY, out=RESULTS / "verdicts.json", module="benchmarks.verdicts",
        timeout=lambda job: options.timeout, package=lambda job: "pushforward",
        again=options.again,
    )  # fmt: skip


if __name__ == "__main__":
    main()

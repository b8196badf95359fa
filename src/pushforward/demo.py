"""Two tables in; densities, new rows and the rows that do not belong out: in a few seconds.

python -m pushforward.demo                 # writes demo-output/
python -m pushforward.demo -o ELSEWHERE
"""

import argparse
import io
import sys
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from .data import load_dataset, write_table
from .errors import PushforwardError
from .estimators.table_density import TableDensity
from .models.sliced import GIS, fit
from .report import least_likely_rows, page, table_figure

__all__ = ["main"]

EXPLAINED = 10  # rows of scores.csv that say why


def breast_cancer() -> Any:
    """The Wisconsin table of cell nuclei with the diagnosis: (569, 31), 30 numbers, a category."""
    import pandas as pd
    from sklearn.datasets import load_breast_cancer

    bunch: Any = load_breast_cancer()
    names = [str(name) for name in bunch.target_names]
    diagnosis = pd.Categorical.from_codes(bunch.target, categories=names)
    return load_dataset("breast_cancer").assign(diagnosis=diagnosis)


def titanic() -> Any:
    """The passengers of the Titanic: (1309, 8), categories, counts, fares of zero, missing cells.

    Frank E. Harrell Jr. and Thomas Cason's table (Vanderbilt Biostatistics; OpenML 40945, where
    its licence is "Public"), with its codes spelt out and without what is unique to a person.
    """
    import pandas as pd

    file = files("pushforward.data").joinpath("titanic.csv")
    return pd.read_csv(io.StringIO(file.read_text(encoding="utf-8")))


def scored(model: TableDensity, X: Any) -> Any:
    """The scores of a pandas frame, strangest rows first, with reasons for the first ten."""
    import pandas as pd

    scores, outlier = model.score_samples(X), model.predict(X) < 0
    order = np.argsort(scores, kind="stable")
    unlikely = least_likely_rows(model, X, scores, EXPLAINED)
    reasons = ["; ".join(reason.sentence() for reason in one.reasons) for one in unlikely]
    return pd.DataFrame(
        {
            "row": X.index[order],
            "log_density": scores[order],
            "outlier": outlier[order],
            "reasons": reasons + [""] * (len(order) - len(reasons)),
        }
    )


def split(table: Any) -> tuple[Any, Any]:
    """Three quarters of the rows to fit on, and the rest."""
    order = np.random.default_rng(0).permutation(len(table))
    cut = 3 * len(table) // 4
    return table.iloc[order[:cut]], table.iloc[order[cut:]]


def run(folder: Path) -> None:
    """Fit, score, sample and draw; write everything under ``folder`` and say where it is."""
    started = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)  # before the work, that may be in vain
    numbers(folder)
    mixed(folder)
    print(
        f"\nIn {folder}/ are now\n"
        "  report.html   open this first: both models judged, with what each measure cannot see\n"
        "  titanic.html  the mixed table: where sampled rows differ, and in which cells\n"
        "  figure.png    held-out rows against sampled ones, and the strangest\n"
        "  samples.csv, titanic-samples.csv   new rows, new passengers\n"
        "  scores.csv    the held-out rows, strangest first, and why\n"
        f'  model/        pushforward.load("{folder / "model"}")\n'
        f"{time.perf_counter() - started:.0f} s in all."
    )


def numbers(folder: Path) -> None:
    """Thirty numbers and a category, beside one Gaussian."""
    table = breast_cancer()
    train, test = split(table)
    print(
        f"Cell nuclei from the breast (Wolberg, Street & Mangasarian 1995): {len(table)} rows, "
        f"{table.shape[1]} columns.\nFitting on {len(train)} rows; {len(test)} are held out.\n"
    )
    fitting = time.perf_counter()
    model = fit(train, random_state=0, verbose=False)
    fitting = time.perf_counter() - fitting
    print("What was tried:")
    print(model.account())

    # a flow without layers, whitened, is one Gaussian
    gaussian = GIS(max_layers=0, whiten=True, validation_fraction=0, random_state=0).fit(train)
    scores = scored(model, test)
    print(
        f"\nFitted in {fitting:.1f} s, nothing chosen by hand. On the {len(test)} rows it never "
        f"saw:\n  log density   {scores['log_density'].mean():.2f} nats a row; one Gaussian: "
        f"{gaussian.score(test):.2f}\n  outliers      {scores['outlier'].sum()} rows "
        f"({100 * scores['outlier'].mean():.1f} %); {100 * model.false_alarm_rate:.0f} % was "
        "asked for\nThe strangest:"
    )
    for row, density, reasons in scores[["row", "log_density", "reasons"]].head(3).to_numpy():
        print(f"  row {row}, {density:.1f} nats: {reasons}")

    model.save(folder / "model")
    write_table(folder / "samples.csv", model.sample(len(table), random_state=0))
    write_table(folder / "scores.csv", scores)
    title = f"Breast cancer table: {len(test)} rows held out of the fit, against rows sampled"
    table_figure(model, test, title=title).savefig(folder / "figure.png")
    print("\nJudging both models on the rows they never saw ...")
    made = page(
        {"pushforward.fit": model, "one Gaussian": gaussian}, test, train=train, n=len(test),
        title="Breast cancer: pushforward.fit and one Gaussian on rows they never saw",
        data="Breast cancer (Wolberg, Street & Mangasarian 1995)",
        command="python -m pushforward.demo",
    )  # fmt: skip
    made.save(folder / "report.html")


def mixed(folder: Path) -> None:
    """Categories, counts, zeros and missing cells."""
    table = titanic()
    train, test = split(table)
    holed = train.isna().any(axis=1).sum()
    print(
        f"\nA mixed table, the passengers of the Titanic (Harrell & Cason): {len(table)} rows, "
        f"{table.shape[1]} columns.\n"
        f"Fitting on {len(train)} rows, of which {holed} have missing cells; the {len(test)} "
        "others judge."
    )
    fitting = time.perf_counter()
    model = fit(train, random_state=0, verbose=False)
    print(f"Fitted in {time.perf_counter() - fitting:.1f} s. New passengers:")
    samples = model.sample(len(table), random_state=0)
    write_table(folder / "titanic-samples.csv", samples)
    print(samples.head(5).to_string(index=False))
    made = page(
        {"pushforward.fit": model}, test, train=train, n=len(test), target="survived",
        title="Titanic: passengers that never were, beside some that were",
        data="Titanic passengers (Harrell & Cason, Vanderbilt Biostatistics)",
        command="python -m pushforward.demo",
    )  # fmt: skip
    made.save(folder / "titanic.html")
    found = made.comparison["pushforward.fit"]
    two_sample, broken = found["two_sample_auroc"], found["broken_dependence"]
    use = found["train_on_synthetic"]
    print(
        f"Beside {len(test)} rows the model never saw:\n"
        f"  told apart    AUROC {two_sample.value:.2f} of a boosted forest; real rows come to "
        f"{two_sample.details['floor']:.2f}\n"
        f"  dependence    {100 * broken.value:.0f} % of that of pairs of columns is lost\n"
        f"  survival      predicted with AUROC {use.value:.2f} by a model fitted on samples, "
        f"{use.details['train_real']:.2f} on real rows"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 2 if the user can mend what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m pushforward.demo", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("-o", "--output", type=Path, default=Path("demo-output"))
    try:
        run(parser.parse_args(arguments).output)
    except (PushforwardError, OSError) as error:
        print(f"The demo stopped: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

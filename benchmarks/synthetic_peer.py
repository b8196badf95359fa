"""One peer: a csv of training rows in, a csv of samples and a line of JSON out.

python synthetic_peer.py MODEL train.csv samples.csv ROWS SEED

It runs in the peer's own environment, which need not have Pushforward. What every careful user
would do stands here: text is passed as categories, and numbers come back in the decimals of the
training column.
"""

import importlib.metadata
import json
import sys
import tempfile
import time
import warnings

import numpy as np
import pandas as pd

FEW = 20  # values of a numeric column up to which arfpy and NRGBoost get it as a category


def arfpy(train, rows, seed):
    from arfpy import arf

    np.random.seed(seed)  # noqa: NPY002, the peer draws from it
    few = [c for c in train if train[c].nunique() <= FEW or not is_number(train[c])]
    coded = train.copy()
    for name in few:
        coded[name] = coded[name].astype(str).astype("category")
    model = arf.arf(coded, verbose=False, random_state=seed)
    model.forde()

    def sample(n):
        drawn = model.forge(n=n)
        return drawn.astype({c: train[c].dtype for c in few})

    return sample


def gaussian_copula(train, rows, seed):
    return sdv("GaussianCopulaSynthesizer", train, seed)


def ctgan(train, rows, seed):
    return sdv("CTGANSynthesizer", train, seed)


def tvae(train, rows, seed):
    return sdv("TVAESynthesizer", train, seed)


def sdv(name, train, seed):
    import sdv.single_table as models
    import torch
    from sdv.metadata import Metadata

    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002, the peer draws from it
    kinds = {c: "numerical" if is_number(train[c]) else "categorical" for c in train}
    columns = {name: {"sdtype": kind} for name, kind in kinds.items()}
    metadata = Metadata.load_from_dict({"tables": {"table": {"columns": columns}}})
    options = {} if name.startswith("Gaussian") else {"enable_gpu": False}
    model = getattr(models, name)(metadata, **options)
    model.fit({"table": train})
    return lambda n: model.sample(num_rows=n)["table"]


def mostlyai(train, rows, seed):
    """TabularARGN, its defaults, with the values of the columns as they are."""
    from mostlyai.engine import TabularARGN

    with tempfile.TemporaryDirectory() as folder:
        model = TabularARGN(workspace_dir=folder, random_state=seed, value_protection=False)
        model.fit(train)
        drawn = model.sample(n_samples=rows)
    return lambda n: drawn


def nrgboost(train, rows, seed):
    """A quarter of the leaves, samples and half of the trees of its README, which takes hours."""
    from nrgboost import Dataset, NRGBooster

    few = [c for c in train if train[c].nunique() <= FEW or not is_number(train[c])]
    coded = train.astype(dict.fromkeys(few, "category"))
    size = {"num_trees": 100, "max_leaves": 64, "num_model_samples": 20_000}
    model = NRGBooster.fit(Dataset(coded), size | {"num_threads": 1}, seed=seed)

    def sample(n):
        drawn = model.sample(n, num_steps=100, num_threads=1, seed=seed)
        return drawn.astype({c: train[c].dtype for c in few})

    return sample


def vine(train, rows, seed):
    """A vine copula of kernel margins, selected by its defaults; for numbers only."""
    import pyvinecopulib as pv

    text = [c for c in train if not is_number(train[c])]
    if text:
        raise ValueError(f"the columns {text} are no numbers")
    whole = [pd.api.types.is_integer_dtype(train[c]) and train[c].nunique() <= FEW for c in train]
    rows_ = np.asfortranarray(train.to_numpy(dtype=float))
    model = pv.Vinedist.from_data(rows_, var_types=["d" if x else "c" for x in whole])
    return lambda n: pd.DataFrame(model.sample(n, seeds=[seed + 1]), columns=list(train))


PEERS = {
    "arfpy": (arfpy, "arfpy"),
    "gaussian_copula": (gaussian_copula, "sdv"),
    "ctgan": (ctgan, "sdv"),
    "tvae": (tvae, "sdv"),
    "mostlyai": (mostlyai, "mostlyai-engine"),
    "nrgboost": (nrgboost, "nrgboost"),
    "vine": (vine, "pyvinecopulib"),
}


def is_number(column):
    return pd.api.types.is_numeric_dtype(column)


def decimals(column):
    """How many decimals the values of a column have; None for more than six."""
    for digits in range(7):
        if np.allclose(column, column.round(digits), rtol=0, atol=1e-9):
            return digits
    return None


def in_the_decimals_of(train, drawn):
    """The samples with the columns, order and decimals of the training rows."""
    drawn = drawn[list(train)].copy()
    for name in train:
        if is_number(train[name]):
            digits = decimals(train[name])
            values = drawn[name].astype(float)
            drawn[name] = values if digits is None else values.round(digits)
            if pd.api.types.is_integer_dtype(train[name]):
                drawn[name] = drawn[name].astype("int64")
    return drawn


def cpu():
    return time.process_time()


def main():
    model, source, target, rows, seed = sys.argv[1:]
    warnings.filterwarnings("ignore")
    fit, package = PEERS[model]
    train = pd.read_csv(source, keep_default_na=False)
    start = cpu()
    sample = fit(train, int(rows), int(seed))
    fitted = cpu()
    drawn = in_the_decimals_of(train, sample(int(rows)))
    done = cpu()
    drawn.to_csv(target, index=False)
    told = {"fit_cpu_s": fitted - start, "sample_cpu_s": done - fitted}
    print(json.dumps(told | {"version": importlib.metadata.version(package)}))


if __name__ == "__main__":
    main()

"""The density models compared: ours and its peers, with the peers' settings in one place.

Every `fit_*` takes float64 training and validation rows and a seed, and returns a `Fitted`.
Peers see standardised rows; `standardised` accounts for the log-determinant.
"""

import functools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np


@dataclass
class Fitted:
    """A fitted density: `log_density(x)` in nats per row, `sample(n)`, what selection chose."""

    log_density: Callable
    sample: Callable
    chosen: str = ""
    max_rows: int | None = None  # score only so many test rows, where scoring takes minutes


class Model(NamedTuple):
    """A way to fit, the module to import before the clock starts, the package it comes from."""

    fit: Callable
    module: str
    package: str


def fit_pushforward(train, valid, seed):
    """Pushforward with its defaults; it splits the rows and selects inside."""
    import torch

    import pushforward

    torch.set_num_threads(1)
    model = pushforward.fit(np.vstack([train, valid]), random_state=seed, verbose=False)
    sample = functools.partial(model.sample, random_state=seed)
    shares = [f"{100 * t['weight']:.0f} % {t['structure']}" for t in model.trials_ if t["weight"]]
    return Fitted(model.score_samples, sample, "; ".join(shares))


def standardised(fit):
    """Let `fit` work in units of one standard deviation of the training rows."""

    @functools.wraps(fit)
    def scaled_fit(train, valid, seed):
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(train)
        model = fit(scaler.transform(train), scaler.transform(valid), seed)
        log_det = np.log(scaler.scale_).sum()
        return replace(
            model,
            log_density=lambda x: model.log_density(scaler.transform(x)) - log_det,
            sample=lambda n: scaler.inverse_transform(model.sample(n)),
        )

    return scaled_fit


@standardised
def fit_gaussian(train, valid, seed):
    """One Gaussian with full covariance; nothing to select, so it gets the validation rows too."""
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(1, reg_covar=1e-6).fit(np.vstack([train, valid]))
    return Fitted(model.score_samples, lambda n: model.sample(n)[0])


def select_gmm(train, valid, seed, sizes, covariances=("full", "diag"), ridges=(1e-6, 1e-3, 1e-2)):
    """The Gaussian mixture with the highest mean log density on the validation rows."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    warnings.simplefilter("ignore", ConvergenceWarning)
    best, best_score = None, -math.inf
    for size in sizes:
        for covariance in covariances:
            for ridge in ridges:
                model = GaussianMixture(
                    size, covariance_type=covariance, reg_covar=ridge, random_state=seed
                )
                try:
                    score = model.fit(train).score(valid)
                except ValueError:  # too few rows, or a covariance that is not positive definite
                    continue
                if score > best_score:
                    best, best_score = model, score
    return best


@standardised
def fit_gmm(train, valid, seed):
    """Scikit-learn's mixture: 7 sizes up to 40, full or diagonal, 3 ridges, on validation."""
    model = select_gmm(train, valid, seed, sizes=(1, 2, 5, 10, 20, 30, 40))
    chosen = f"K={model.n_components}, {model.covariance_type}, ridge {model.reg_covar:g}"
    return Fitted(model.score_samples, lambda n: model.sample(n)[0], chosen)


@standardised
def fit_kde(train, valid, seed):
    """Scikit-learn's Gaussian kernel density, 20 bandwidths on validation."""
    from sklearn.neighbors import KernelDensity

    models = [KernelDensity(bandwidth=b).fit(train) for b in np.geomspace(0.05, 2, 20)]
    model = max(models, key=lambda m: m.score(valid))
    sample = functools.partial(model.sample, random_state=seed)
    return Fitted(model.score_samples, sample, f"bandwidth {model.bandwidth:.2g}")


def _hidden(features):
    return [64, 64] if features <= 15 else [128, 128]


def _train_flow(build, train, valid, seed, cpu_cap=75.0, patience=20, batch=256):
    """Adam on the mean negative log density, stopped on validation; the best epoch is kept."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    start = time.process_time()
    x, held_out = (torch.as_tensor(a, dtype=torch.float32) for a in (train, valid))
    flow = build()
    decay = 1e-4 if len(x) < 2000 else 0.0
    optimizer = torch.optim.Adam(flow.parameters(), lr=1e-3, weight_decay=decay)
    best, best_loss, best_epoch, epoch = None, math.inf, 0, 0
    while epoch - best_epoch < patience and time.process_time() - start < cpu_cap:
        epoch += 1
        for rows in torch.randperm(len(x)).split(batch):
            loss = -flow().log_prob(x[rows]).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
            optimizer.step()
        with torch.no_grad():
            loss = -flow().log_prob(held_out).mean().item()
        if loss < best_loss:
            best = {k: v.clone() for k, v in flow.state_dict().items()}
            best_loss, best_epoch = loss, epoch
    capped = "" if epoch - best_epoch >= patience else f", stopped by the {cpu_cap:g} s cap"
    flow.load_state_dict(best)

    def log_density(x):
        with torch.no_grad():
            return flow().log_prob(torch.as_tensor(x, dtype=torch.float32)).double().numpy()

    def sample(n):
        with torch.no_grad():
            return flow().sample((n,)).double().numpy()

    return Fitted(log_density, sample, f"epoch {best_epoch} of {epoch}{capped}")


@standardised
def fit_zuko_nsf(train, valid, seed):
    """Zuko's neural spline flow, 3 autoregressive transforms of 8 bins."""
    import zuko

    d = train.shape[1]
    build = functools.partial(zuko.flows.NSF, d, transforms=3, bins=8, hidden_features=_hidden(d))
    return _train_flow(build, train, valid, seed)


@standardised
def fit_zuko_maf(train, valid, seed):
    """Zuko's masked autoregressive flow, 5 affine transforms."""
    import zuko

    d = train.shape[1]
    build = functools.partial(zuko.flows.MAF, d, transforms=5, hidden_features=_hidden(d))
    return _train_flow(build, train, valid, seed)


@standardised
def fit_sinflow(train, valid, seed):
    """Sinflow with its defaults; it splits off its own validation rows, so it gets all."""
    import sinflow

    np.random.seed(seed)  # noqa: NPY002 - sinflow draws from numpy's global generator
    model = sinflow.Flow(random_state=seed)
    model.fit(np.vstack([train, valid]))  # shuffles its argument in place
    chosen = f"{len(model.transforms)} transforms"
    return Fitted(model.log_prob, lambda n: np.asarray(model.sample(n)), chosen)


@standardised
def fit_rbig(train, valid, seed):
    """rbig's GIS with its defaults; it splits off its own validation rows, so it gets all."""
    import rbig

    model = rbig.GIS(random_state=seed).fit(np.vstack([train, valid]))
    return Fitted(model.score_samples, model.sample, f"{len(model.layers_)} layers")


@standardised
def fit_otcfm(train, valid, seed, cpu_cap=60.0, max_steps=8000):
    """Flow matching with exact minibatch optimal transport (torchcfm), likelihood by its ODE."""
    import torch
    from torchcfm.conditional_flow_matching import ExactOptimalTransportConditionalFlowMatcher
    from torchdiffeq import odeint

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - torchcfm draws its plan from numpy's global generator
    start = time.process_time()
    x = torch.as_tensor(np.vstack([train, valid]), dtype=torch.float32)
    d = x.shape[1]
    net = torch.nn.Sequential(
        *(torch.nn.Linear(d + 1, 256), torch.nn.SiLU()),
        *(torch.nn.Linear(256, 256), torch.nn.SiLU()),
        *(torch.nn.Linear(256, 256), torch.nn.SiLU()),
        torch.nn.Linear(256, d),
    )
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.999)
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    matcher = ExactOptimalTransportConditionalFlowMatcher(sigma=0.0)
    steps = 0
    while steps < max_steps and time.process_time() - start < cpu_cap:
        steps += 1
        rows = x[torch.randint(len(x), (256,))]
        t, at, velocity = matcher.sample_location_and_conditional_flow(
            torch.randn_like(rows), rows
        )
        loss = (net(torch.cat([at, t[:, None]], 1)) - velocity).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average.update_parameters(net)
    field = average.module

    def at_time(row, t):
        return field(torch.cat([row, t[None]]))

    jacobian = torch.func.vmap(torch.func.jacrev(at_time), in_dims=(0, None))

    def integrate(rhs, state, times):
        with torch.no_grad():
            path = odeint(rhs, state, torch.tensor(times), rtol=1e-4, atol=1e-4, method="dopri5")
        return [p[-1] for p in path]

    def log_density(rows):
        def rhs(t, state):
            now = torch.cat([state[0], t.expand(len(state[0]), 1)], 1)
            return field(now), jacobian(state[0], t).diagonal(dim1=1, dim2=2).sum(1)

        rows = torch.as_tensor(rows, dtype=torch.float32)
        z, log_det = integrate(rhs, (rows, torch.zeros(len(rows))), [1.0, 0.0])
        base = -0.5 * (z.square().sum(1) + d * math.log(2 * math.pi))
        return (base + log_det).double().numpy()

    def sample(n):
        def rhs(t, state):
            return (field(torch.cat([state[0], t.expand(n, 1)], 1)),)

        return integrate(rhs, (torch.randn(n, d),), [0.0, 1.0])[0].double().numpy()

    return Fitted(log_density, sample, f"{steps} steps", max_rows=200)


MODELS = {
    "pushforward": Model(fit_pushforward, "pushforward", "pushforward"),
    # digits only: the dequantised floats the peers get, not the integer columns
    "pushforward_dequantised": Model(fit_pushforward, "pushforward", "pushforward"),
    "gaussian": Model(fit_gaussian, "sklearn.mixture", "scikit-learn"),
    "gmm": Model(fit_gmm, "sklearn.mixture", "scikit-learn"),
    "kde": Model(fit_kde, "sklearn.neighbors", "scikit-learn"),
    "zuko_nsf": Model(fit_zuko_nsf, "zuko", "zuko"),
    "zuko_maf": Model(fit_zuko_maf, "zuko", "zuko"),
    "sinflow": Model(fit_sinflow, "sinflow", "sinflow"),
    "rbig": Model(fit_rbig, "rbig", "rbig"),
    "otcfm": Model(fit_otcfm, "torchcfm", "torchcfm"),
}

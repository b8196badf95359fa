"""Ridge regression and Gaussian processes beside scikit-learn and closed forms."""

import math

import numpy as np
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct

from pushforward.models.prediction.inputs import Inputs
from pushforward.models.prediction.regressions import GaussianProcess, Ridge
from pushforward.models.prediction.stacked_regression import StackedRegression


def made(n=120, seed=0):
    x = torch.randn(n, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return x, x[:, 0] * x[:, 1] + 0.5 * x[:, 2]


def test_products_of_pairs_are_found():
    x, y = made()
    assert (Ridge.fit(x, y, squared=True)(x) - y).abs().max() < 0.01
    assert (Ridge.fit(x, y)(x) - y).abs().max() > 0.5


def test_a_constant_column_is_no_trouble():
    x, y = made()
    x = torch.cat([x, torch.full((len(x), 1), 7.0).double()], 1)
    assert torch.isfinite(Ridge.fit(x, y, squared=True)(x)).all()
    assert (Ridge.fit(x[:, 3:], y)(x[:, 3:]) == y.mean()).all()


def test_a_process_predicts_as_that_of_scikit_learn_with_its_scales():
    x, y = made(60)
    scales = torch.tensor([0.2, 0.4, 0.9]).double(), torch.tensor([0.3, -1.0]).double()
    noise = torch.tensor(-3.0).double()
    ours = GaussianProcess.fit(x, y, 0, (*scales, noise))
    kernel = ConstantKernel(math.exp(0.3)) * RBF(np.exp([0.2, 0.4, 0.9]))
    kernel = kernel + ConstantKernel(math.exp(-1.0) / 3) * DotProduct(0.0, "fixed")
    theirs = GaussianProcessRegressor(kernel, optimizer=None, alpha=math.exp(-3.0) + 1e-6)
    scaled = (y - y.mean()) / y.std()
    new = made(20, seed=1)[0]
    expected = theirs.fit(x.numpy(), scaled.numpy()).predict(new.numpy())
    found = (ours(new) - y.mean()) / y.std()
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-8)


def test_a_process_finds_out_which_columns_matter():
    x, y = made(200)
    x = torch.cat([x, torch.randn(200, 2, generator=torch.Generator().manual_seed(5)).double()], 1)
    log_scale, _, _ = GaussianProcess.scales(x, y, 0)
    assert log_scale[:2].max() + 0.5 < log_scale[3:].min()


def test_a_stack_is_as_good_as_its_best_and_says_what_it_has_not_seen():
    x, y = made(300)
    y = y + 0.1 * torch.randn(300, generator=torch.Generator().manual_seed(2)).double()
    inputs = Inputs(x.float(), x, x)
    fold = torch.arange(300) % 5
    kinds = ("curves", "products", "trees")
    stack, unseen = StackedRegression.fit(inputs, y, fold, 0, kinds=kinds)
    alone = {kind: StackedRegression.fit(inputs, y, fold, 0, kinds=(kind,))[1] for kind in kinds}
    errors = {kind: float((found - y).square().mean()) for kind, found in alone.items()}
    assert (unseen - y).square().mean() <= min(errors.values()) + 1e-9
    assert (unseen - y).square().mean() > 0.008  # of 0.01: it has not seen them
    new, truth = made(500, seed=9)
    off = stack(Inputs(new.float(), new, new)) - truth
    assert off.square().mean() < 0.01
    state = dict(stack.state_dict())
    again = StackedRegression.from_state(stack.kinds, state, inputs)
    assert (again(inputs) == stack(inputs)).all()

"""Expectation maximisation for mixtures of Gaussians."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture as Peer

from pushforward.transport import GaussianMixture


def clusters(n=1500, d=3, seed=0):
    r = np.random.default_rng(seed)
    centres = np.array([[0.0] * d, [4.0] * d, [4.0, *[-4.0] * (d - 1)]])
    which = r.choice(3, n, p=[0.5, 0.3, 0.2])
    spread = np.array([0.5, 1.0, 0.3])[which, None]
    return torch.from_numpy(centres[which] + spread * r.normal(size=(n, d))), centres


def test_recovers_planted_clusters():
    x, centres = clusters()
    mixture = GaussianMixture.fit(x, 3)
    best = min(
        itertools.permutations(range(3)),
        key=lambda p: float((mixture.mean[list(p)] - torch.from_numpy(centres)).norm()),
    )
    order = list(best)
    assert (mixture.mean[order] - torch.from_numpy(centres)).abs().max() < 0.15
    assert mixture.log_weight.exp()[order].numpy() == pytest.approx([0.5, 0.3, 0.2], abs=0.04)
    spread = mixture.factor.diagonal(dim1=1, dim2=2).mean(1)[order]
    assert spread.numpy() == pytest.approx([0.5, 1.0, 0.3], rel=0.1)


@pytest.mark.parametrize("components", [1, 3, 6])
def test_log_prob_is_scikit_learns_for_the_same_parameters(components):
    x, _ = clusters()
    mixture = GaussianMixture.fit(x, components)
    peer = Peer(components, covariance_type="full")
    peer.weights_ = mixture.log_weight.exp().numpy()
    peer.means_ = mixture.mean.numpy()
    peer.covariances_ = (mixture.factor @ mixture.factor.mT).numpy()
    peer.precisions_cholesky_ = np.linalg.inv(mixture.factor.numpy()).transpose(0, 2, 1)
    points = torch.cat([x[:50], 20 * torch.randn(50, 3, dtype=torch.float64)])
    np.testing.assert_allclose(
        mixture.log_prob(points).numpy(), peer.score_samples(points.numpy()), rtol=1e-8, atol=1e-8
    )
    np.testing.assert_allclose(
        mixture.responsibilities(points).numpy(), peer.predict_proba(points.numpy()), atol=1e-8
    )


def test_one_component_is_the_sample_mean_and_covariance():
    x, _ = clusters()
    mixture = GaussianMixture.fit(x, 1)
    assert torch.allclose(mixture.mean[0], x.mean(0))
    covariance = mixture.factor[0] @ mixture.factor[0].T
    assert torch.allclose(covariance, torch.cov(x.T, correction=0), atol=1e-5)


def test_the_likelihood_does_not_fall_from_step_to_step():
    x, _ = clusters(n=600)
    mixture = GaussianMixture.fit(x, 5, iterations=1)
    values = []
    for _ in range(20):
        values.append(float(mixture.log_prob(x).mean()))
        mixture = GaussianMixture.fit(x, 5, start=mixture, iterations=0)
    # one row of prior weight is spread over the components, so a hair is allowed
    assert (np.diff(values) > -2e-3).all()
    assert values[-1] >= values[0]


def test_whole_weights_equal_repeated_rows():
    x, _ = clusters(n=300)
    count = torch.from_numpy(np.random.default_rng(1).integers(1, 4, 300))
    start = GaussianMixture.fit(x, 3)
    # the same number of rows, so that priors count the same
    scale = 300 / float(count.sum())
    weighted = GaussianMixture.fit(x, 3, weight=count.double(), start=start, iterations=30)
    repeated = GaussianMixture.fit(x.repeat_interleave(count, 0), 3, start=start, iterations=30)
    assert scale < 1
    assert torch.allclose(weighted.mean, repeated.mean, atol=1e-3)
    assert torch.allclose(weighted.log_prob(x), repeated.log_prob(x), atol=2e-2)


def test_rows_of_no_weight_do_not_count():
    x, _ = clusters(n=300)
    junk = torch.full((100, 3), 50.0).double()
    weight = torch.cat([torch.ones(300), torch.zeros(100)]).double()
    mixture = GaussianMixture.fit(torch.cat([x, junk]), 2, weight=weight)
    assert mixture.mean.abs().max() < 6


@pytest.mark.parametrize("components", [1, 4])
@pytest.mark.parametrize("shrinkage", [0.0, 1.0])
def test_repeated_columns_and_few_rows_give_finite_densities(components, shrinkage):
    r = np.random.default_rng(0)
    wide = torch.from_numpy(r.normal(size=(8, 30)))
    base = torch.from_numpy(r.normal(size=(100, 2)))
    repeated = torch.cat([base, base, base.sum(1, keepdim=True)], 1)
    equal_rows = base[:1].expand(50, 2).contiguous()
    for x in (wide, repeated, equal_rows):
        mixture = GaussianMixture.fit(x, components, shrinkage=shrinkage, diagonal=0.1)
        fresh = torch.from_numpy(r.normal(size=(20, x.shape[1])))
        for points in (x, fresh):
            assert torch.isfinite(mixture.log_prob(points)).all()
        assert torch.isfinite(mixture.factor).all()
        assert (mixture.factor.diagonal(dim1=1, dim2=2) > 0).all()


def test_shrinkage_pulls_covariances_together_and_diagonal_pulls_to_the_diagonal():
    x, _ = clusters()
    free = GaussianMixture.fit(x, 3)
    tied = GaussianMixture.fit(x, 3, shrinkage=1e9)
    assert torch.allclose(tied.factor[0], tied.factor[1], atol=1e-5)
    assert not torch.allclose(free.factor[0], free.factor[1], atol=0.1)
    x = x @ torch.tensor([[1, 0.9, 0], [0, 1, 0.5], [0, 0, 1]], dtype=torch.float64)
    plain = GaussianMixture.fit(x, 1, diagonal=1.0, shrinkage=1e9)
    assert (plain.factor[0] - torch.diag(plain.factor[0].diagonal())).abs().max() < 1e-4


def test_points_processed_in_pieces_give_the_same(monkeypatch):
    from pushforward.transport import mixture as module

    x, _ = clusters(n=500)
    whole = GaussianMixture.fit(x, 3)
    monkeypatch.setattr(module, "_KEPT", 10)
    monkeypatch.setattr(module, "_PIECE", 100)
    pieces = GaussianMixture.fit(x, 3)
    assert torch.allclose(whole.log_prob(x), pieces.log_prob(x), atol=1e-8)


def test_a_seed_gives_the_same_mixture():
    x, _ = clusters()
    assert torch.equal(
        GaussianMixture.fit(x, 4, seed=3).mean, GaussianMixture.fit(x, 4, seed=3).mean
    )


def test_one_component_after_the_other_gives_what_products_give(monkeypatch):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(300, 12, generator=g, dtype=torch.float64)
    x[:100] += 2
    weight = torch.rand(300, generator=g, dtype=torch.float64)
    fits = []
    for kept in (1 << 25, 1):
        monkeypatch.setattr("pushforward.transport.mixture._KEPT", kept)
        fits.append(GaussianMixture.fit(x, 3, shrinkage=12.0, weight=weight))
    assert torch.allclose(fits[0].log_prob(x), fits[1].log_prob(x), atol=1e-8)

"""DGflow against its formulas, where everything is known, and where it goes wrong."""

from itertools import islice

import pytest
import torch

from pushforward.errors import DataError, ParameterError
from pushforward.metrics import classifier_two_sample, modes
from pushforward.refinement import DIVERGENCES, PUBLISHED, dgflow, dgflow_path

#: f(r) of r = generated over real density.
F = {
    "kl": lambda r: r * r.log(),
    "js": lambda r: r * r.log() - (r + 1) * ((r + 1) / 2).log(),
    "log_d": lambda r: (r + 1) * (r + 1).log(),
    "pearson": lambda r: (r - 1).square(),
}


@pytest.mark.parametrize("divergence", F)
def test_the_drift_is_that_of_the_divergence(divergence):
    d = torch.linspace(-8, 8, 65, dtype=torch.float64, requires_grad=True)
    r = torch.exp(-d)
    (first,) = torch.autograd.grad(F[divergence](r).sum(), r, create_graph=True)
    (velocity,) = torch.autograd.grad(-first.sum(), d)
    factor = DIVERGENCES[divergence](d.detach())
    torch.testing.assert_close(factor, velocity, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("divergence", DIVERGENCES)
@pytest.mark.parametrize("size", [1e3, -1e3])
def test_certain_logits_give_finite_points(divergence, size):
    moved = dgflow(
        torch.zeros(3, 1), lambda x: x[:, 0] + size, step=0.1, steps=3, divergence=divergence
    )
    assert moved.isfinite().all()


def test_the_exact_ratio_moves_one_gaussian_onto_the_other(shifted, generator):
    start = torch.randn(20_000, 1, generator=generator)
    moved = dgflow(start, shifted, step=0.1, steps=10)
    torch.testing.assert_close(moved, start + 1)


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 4, 4)])
def test_noise_has_the_variance_of_the_flow_in_any_shape(shape, generator):
    start = torch.zeros(20_000, *shape)
    moved = dgflow(
        start, lambda x: 0 * x.flatten(1)[:, 0], step=0.05, steps=1, noise=0.3,
        generator=generator,
    )  # fmt: skip
    assert float(moved.var()) == pytest.approx(2 * 0.3 * 0.05, rel=0.03)
    assert moved.shape == start.shape


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_points_do_not_depend_on_the_batch_size(grid, generator, noise):
    start = grid.generated(50, generator)

    def run(size):
        draw = torch.Generator().manual_seed(3)
        return dgflow(
            start, grid.logit, step=1e-3, steps=5, noise=noise, generator=draw, batch_size=size
        )

    torch.testing.assert_close(run(1), run(50))


def test_the_path_passes_where_shorter_runs_end(grid, generator):
    start = grid.generated(20, generator)
    path = list(islice(dgflow_path(start, grid.logit, step=1e-3), 6))
    for steps in (2, 6):
        end = dgflow(start, grid.logit, step=1e-3, steps=steps)
        torch.testing.assert_close(path[steps - 1], end)


def test_no_point_drifts_further_than_is_allowed(grid, generator):
    start = grid.generated(200, generator)
    free = dgflow(start, grid.logit, step=1e-3, steps=1) - start
    held = dgflow(start, grid.logit, step=1e-3, steps=1, longest=0.05) - start
    assert float(free.norm(dim=1).max()) > 0.06
    assert float(held.norm(dim=1).max()) < 0.05001
    near = free.norm(dim=1) < 0.05
    torch.testing.assert_close(held[near], free[near])


def test_run_on_it_collapses_and_the_share_of_high_quality_does_not_see_it(grid, generator):
    start, real = grid.generated(2000, generator), grid.real(2000, generator)
    path = list(islice(dgflow_path(start, grid.logit, step=2e-5, longest=0.1), 100))

    def figures(x):
        quality = modes(x, grid.centres, grid.sd)[0]
        auc = classifier_two_sample(real, x, classifier="neighbours").value
        return quality.value, quality.details["spread"], auc

    before, some, many = figures(start), figures(path[24]), figures(path[99])
    assert before[0] < 0.45 < 0.95 < some[0] <= many[0]
    assert many[1] < 0.3  # all on the middles of the modes
    assert some[2] + 0.1 < before[2] < many[2]  # better, then worse than it began


def test_the_published_settings_destroy_a_plane(grid, generator):
    start, real = grid.generated(1000, generator), grid.real(1000, generator)
    moved = dgflow(start, grid.logit, **PUBLISHED["cifar10"], generator=generator, longest=1.0)
    before, after = (
        classifier_two_sample(real, x, classifier="neighbours").value for x in (start, moved)
    )
    assert after > before + 0.05


@pytest.mark.parametrize(
    "wrong", [{"divergence": "hellinger"}, {"step": 0.0}, {"noise": -1.0}, {"steps": 0}]
)
def test_what_cannot_be_is_named(shifted, wrong):
    settings = {"step": 0.1, "steps": 1, **wrong}
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        dgflow(torch.zeros(1, 1), shifted, **settings)


def test_a_logit_that_is_infinite_or_cut_off_is_an_error():
    with pytest.raises(DataError, match="not finite"):
        dgflow(torch.zeros(2, 1), lambda x: x[:, 0].log(), step=0.1, steps=1)
    with pytest.raises(DataError, match="does not depend"):
        dgflow(torch.zeros(2, 1), lambda x: x[:, 0].detach(), step=0.1, steps=1)
    with pytest.raises(DataError, match=r"\(2, 3\)"):
        dgflow(torch.zeros(2, 3), lambda x: x, step=0.1, steps=1)

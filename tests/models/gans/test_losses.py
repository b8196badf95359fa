"""The table of loss pairs, the penalty and the distance of samples."""

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from pushforward.errors import ParameterError
from pushforward.models.gans import LOSSES, find_loss, gradient_penalty
from pushforward.models.gans.penalties import squared_gradient_norm
from pushforward.models.image_distance import diversity, patch_distance

LOGITS = torch.linspace(-8, 8, 33, dtype=torch.float64)
ONE, ZERO = torch.ones_like(LOGITS), torch.zeros_like(LOGITS)


def cross(logits, target):
    return bce(logits, target, reduction="none")


@pytest.mark.parametrize("name", ["non-saturating", "minimax", "ratio"])
def test_classifiers_are_cross_entropy(name):
    pair = find_loss(name)
    torch.testing.assert_close(pair.real(LOGITS), cross(LOGITS, ONE))
    torch.testing.assert_close(pair.fake(LOGITS), cross(LOGITS, ZERO))


def test_players():
    torch.testing.assert_close(find_loss("non-saturating").player(LOGITS), cross(LOGITS, ONE))
    torch.testing.assert_close(find_loss("minimax").player(LOGITS), -cross(LOGITS, ZERO))
    ratio = find_loss("ratio").player(LOGITS)
    torch.testing.assert_close(ratio, cross(LOGITS, ONE) - cross(LOGITS, ZERO))
    torch.testing.assert_close(find_loss("hinge").player(LOGITS), ratio)
    torch.testing.assert_close(find_loss("wasserstein").player(LOGITS), ratio)


@pytest.mark.parametrize("name", LOSSES)
def test_finite_with_gradients_at_extreme_logits(name):
    logits = torch.tensor([-100.0, 100.0], requires_grad=True)
    pair = LOSSES[name]
    for loss in (pair.real, pair.fake, pair.player):
        value = loss(logits)
        (slope,) = torch.autograd.grad(value.sum(), logits)
        assert value.isfinite().all()
        assert slope.isfinite().all()
    # a player whose samples are all found out is still told where to go
    (slope,) = torch.autograd.grad(pair.player(logits[:1]).sum(), logits)
    assert slope[0] < 0 or name == "minimax"


@pytest.mark.parametrize("name", LOSSES)
def test_at_rest(name):
    # the best critic of equal distributions says one number: that which makes the loss least
    pair = LOSSES[name]
    at = torch.linspace(-3, 3, 601, dtype=torch.float64)
    least = (pair.real(at) + pair.fake(at)).min().item()
    assert least == pytest.approx(pair.at_rest, abs=1e-6)


def test_a_critics_terms():
    terms = find_loss("ratio").critic(torch.tensor([1.0, 2.0]), torch.tensor([3.0, -1.0]))
    assert terms["accuracy"] == 0.75
    ratio = (terms["real"] + terms["fake"]) / (2 * math.log(2))
    assert terms["of_rest"] == pytest.approx(ratio.item())
    assert not terms["accuracy"].requires_grad
    assert "of_rest" not in find_loss("wasserstein").critic(torch.zeros(2), torch.zeros(2))
    # least squares aims at 1 and 0: a half divides them
    terms = find_loss("least-squares").critic(torch.tensor([0.9]), torch.tensor([0.1]))
    assert terms["accuracy"] == 1


def test_pairs():
    pair = find_loss("relativistic")
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([1.0, 1.0])  # 1 above, 2 below
    terms = pair.critic(real, fake)
    expected = (math.log1p(math.exp(-1)) + math.log1p(math.exp(2))) / 2
    assert (terms["real"] + terms["fake"]).item() == pytest.approx(expected)
    assert terms["accuracy"] == 0.5
    assert terms["of_rest"].item() == pytest.approx(expected / math.log(2))
    expected = (math.log1p(math.exp(1)) + math.log1p(math.exp(-2))) / 2
    assert pair.generator(fake, real).item() == pytest.approx(expected)
    # one constant more on every logit is no other critic
    moved = pair.critic(real + 3, fake + 3)
    torch.testing.assert_close(moved["real"], terms["real"])
    # of others the logits of data do not count
    torch.testing.assert_close(find_loss("ratio").generator(fake, real), -fake.mean())


def test_the_squared_slope():
    x = torch.randn(5, 3, requires_grad=True)
    weight = torch.tensor([1.0, 2.0, 2.0], requires_grad=True)
    found = squared_gradient_norm(x @ weight, x)
    assert found.item() == pytest.approx(9)
    (slope,) = torch.autograd.grad(found, weight)
    torch.testing.assert_close(slope, 2 * weight)
    x = torch.tensor([[1.0], [3.0]], requires_grad=True)  # each row its own: 2^2 and 6^2
    assert squared_gradient_norm(x.square().sum(1), x).item() == pytest.approx((4 + 36) / 2)


def test_an_unknown_loss():
    with pytest.raises(ParameterError, match="hinge"):
        find_loss("wgan")


@pytest.mark.parametrize(("norm", "penalty"), [(1.0, 0.0), (2.0, 1.0), (0.5, 0.25)])
@pytest.mark.parametrize("rows", [1, 64])
def test_the_penalty_is_of_each_sample(norm, penalty, rows):
    # with the norm of the whole batch a perfect critic would be fined 49 for 64 samples
    a, b = torch.randn(2, rows, 3, 4, 4)
    direction = torch.randn(48)
    direction *= norm / direction.norm()
    found = gradient_penalty(lambda x: x.flatten(1) @ direction, a, b, torch.rand(rows))
    assert found.item() == pytest.approx(penalty, abs=1e-5)


def test_each_sample_has_its_own_place():
    a, b = torch.zeros(3, 2), torch.ones(3, 2)
    seen = []

    def critic(x):
        seen.append(x.detach())
        return x.sum(1)

    gradient_penalty(critic, a, b, torch.tensor([0.0, 0.25, 1.0]))
    assert seen[0].tolist() == [[0, 0], [0.25, 0.25], [1, 1]]


def test_the_penalty_can_be_differentiated():
    weight = torch.tensor([3.0, 0.0], requires_grad=True)
    a, b = torch.zeros(4, 2), torch.ones(4, 2)
    found = gradient_penalty(lambda x: x @ weight, a, b, torch.rand(4))
    (slope,) = torch.autograd.grad(found, weight)
    torch.testing.assert_close(slope, torch.tensor([4.0, 0.0]))  # 2 (|w| - 1) w / |w|


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 16, 16), (1, 4, 4), (1, 1, 1)])
def test_the_distance_grows_with_what_is_wrong(shape):
    images = torch.rand(200, *shape)
    others = torch.rand(200, *shape)
    wrong = [patch_distance(images, others * (1 - share)) for share in (0.0, 0.3, 0.6, 1.0)]
    assert wrong == sorted(wrong)
    assert patch_distance(images, images) == 0
    assert diversity(images, others) == pytest.approx(1, abs=0.15)
    assert diversity(images, images[:1].expand_as(images)) == 0

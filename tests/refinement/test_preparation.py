"""From a generator and the user's data to the setup of a refinement."""

import pytest
import torch

from pushforward.errors import ParameterError
from pushforward.refinement import RefinedModel, refine


def identity(z):
    return z


@pytest.fixture
def threads():
    """Two threads, as a user may have them, and those of the tests again."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield torch.get_num_threads
    torch.set_num_threads(before)


def test_a_small_table_has_one_thread_while_it_is_refined(table, threads, generator):
    model, data = table
    with RefinedModel(model).prepare(data, None, None):
        inside = threads()
    assert (inside, threads()) == (1, 2)
    rows = torch.randn(300, 2, generator=generator)  # of networks whose size is not known
    with RefinedModel(identity, prior=2).prepare(rows, None, None):
        assert threads() == 2


@pytest.mark.parametrize(("d", "moments"), [(16, False), (17, True)])
def test_the_moments_of_wide_rows_count(d, moments, generator):
    rows = torch.randn(300, d, generator=generator)
    with RefinedModel(identity, prior=d).prepare(rows, None, None) as setup:
        assert setup.real.moments == moments
        assert (setup.adapter.scale is None) == moments  # narrow rows move in units of their own
        assert setup.estimator.real is setup.real


def test_a_refinement_of_a_refined_model_goes_on_from_its_stages(shifted, generator):
    rows = torch.randn(600, 1, generator=generator) + 1
    settings = {"step": 0.1, "steps": 8}
    once = refine(identity, rows, prior=1, logit=shifted, method="dgflow", settings=settings)
    assert once.kept_
    with RefinedModel(once).prepare(rows, None, None) as setup:
        assert setup.kept == tuple(once.kept_)
        assert setup.reference is once.first_logit_
        assert setup.space("auto")[0].evaluations == 8
    with (
        pytest.raises(ParameterError, match="knows its prior"),
        RefinedModel(once, prior=1).prepare(rows, None, None),
    ):
        pass

"""Parameters as scikit-learn has them, and what loading a generator imports."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import make_pipeline
from sklearn.utils import check_random_state

from pushforward import DCGAN, VAE, ParameterError, load
from pushforward.estimators.parameters import drawn_seed
from pushforward.refinement import RefinedModel

DIGITS = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)


@pytest.mark.parametrize("seed", [0, np.int64(7), 2**32 - 1])
def test_seeds_are_those_scikit_learn_would_draw(seed):
    assert drawn_seed(seed) == check_random_state(seed).randint(2**31 - 1)


def test_a_random_state_and_the_one_of_numpy_go_on():
    state = np.random.RandomState(3)
    again = check_random_state(np.random.RandomState(3))
    assert [drawn_seed(state) for _ in range(3)] == [again.randint(2**31 - 1) for _ in range(3)]
    np.random.seed(5)  # noqa: NPY002 the state that None stands for
    first = drawn_seed(None), drawn_seed(None)
    np.random.seed(5)  # noqa: NPY002 the state that None stands for
    assert first == (drawn_seed(None), drawn_seed(None))
    assert first[0] != first[1]


@pytest.mark.parametrize("seed", [-1, 1.5, "0", True, 2**32, np.random.default_rng(0)])
def test_what_is_no_seed_is_told(seed):
    with pytest.raises(ParameterError, match="random_state is"):
        drawn_seed(seed)


def test_a_model_is_shown_with_what_was_changed():
    assert repr(DCGAN()) == "DCGAN()"
    assert repr(DCGAN(loss="hinge", minutes=2)) == "DCGAN(loss='hinge', minutes=2)"


def test_parameters_are_set_also_inside_others():
    model = RefinedModel(DCGAN(minutes=1), method="dot")
    model.set_params(method="sir", generator__minutes=3)
    assert (model.method, model.generator.minutes) == ("sir", 3)
    assert model.get_params()["generator__minutes"] == 3
    assert "generator__minutes" not in model.get_params(deep=False)
    with pytest.raises(ParameterError, match="no parameter 'methods'"):
        model.set_params(methods="dot")


def test_clones_pipelines_and_grids_take_image_models():
    model = VAE(steps=2, width=4, random_state=0)
    for values in ParameterGrid({"latent": [2, 3]}):
        fresh = clone(model).set_params(**values)
        assert fresh.get_params() == {**model.get_params(), **values}
    pipeline = make_pipeline(clone(model)).fit(DIGITS)
    assert pipeline[-1].sample(3, random_state=0).shape == (3, 8, 8)


def test_loading_and_sampling_import_no_library_of_tables(tmp_path):
    folder = DCGAN(steps=2, width=4, random_state=0).fit(DIGITS).save(tmp_path / "model")
    code = (
        "import sys, pushforward\n"
        "pushforward.load(sys.argv[1]).sample(3, random_state=0)\n"
        "print([m for m in ('sklearn', 'scipy', 'pandas', 'pyarrow') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert load(folder).get_params()["steps"] == 2

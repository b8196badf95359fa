"""The recipes of docs/scaling.md, as they stand there, on local clusters of what is installed."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pushforward

PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"


def recipe(name):
    """The block of code below the heading of a recipe."""
    section = PAGE.read_text().split(f"\n### {name}\n", 1)[1]
    return re.match(r"\s*```python\n(.*?)```", section, re.DOTALL)[1]


@pytest.mark.parametrize(
    ("name", "package"), [("Dask", "dask"), ("Ray", "ray"), ("Spark", "pyspark")]
)
def test_a_recipe_scores_what_the_model_does(name, package, tmp_path):
    code = recipe(name)
    compile(code, name, "exec")
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=200), "y": rng.integers(0, 5, 200)})
    (tmp_path / "parts").mkdir()
    for i in range(2):
        frame[i * 100 : i * 100 + 100].to_parquet(tmp_path / "parts" / f"{i}.parquet", index=False)
    model = pushforward.GIS(max_layers=2, random_state=0).fit(frame)
    model.save(tmp_path / "model")
    code = code.replace('"model"', f'"{tmp_path / "model"}"')  # workers run elsewhere
    code = code.replace('"parts"', f'"{tmp_path / "parts"}"')
    code = code.replace('"scored"', f'"{tmp_path / "scored"}"')
    (tmp_path / "recipe.py").write_text(f"if __name__ == '__main__':\n{_indented(code)}")
    done = subprocess.run(
        [sys.executable, "recipe.py"],
        cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False,
        env=os.environ | {"PYSPARK_PYTHON": sys.executable},  # else workers take python3 of PATH
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    scored = pd.read_parquet(tmp_path / "scored").sort_values("x", ignore_index=True)
    expected = frame.assign(log_density=model.score_samples(frame))
    expected = expected.sort_values("x", ignore_index=True)
    pd.testing.assert_frame_equal(scored[list(expected.columns)], expected, check_dtype=False)


def _indented(code):
    return "".join(f"    {line}" for line in code.splitlines(keepends=True))

"""What README and CONTRIBUTING show is what happens."""

import doctest
import math
import re
import shlex
import types
from pathlib import Path

import numpy as np
import pytest

import pushforward

ROOT = Path(__file__).parent.parent
NUMBER = r"-?\d+\.?\d*(?:e[+-]?\d+)?"


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


class Near(doctest.OutputChecker):
    """Words must agree; numbers within a fifth, as a better model moves them."""

    def check_output(self, want, got, flags):
        pairs = zip(re.findall(NUMBER, want), re.findall(NUMBER, got), strict=False)
        words = [re.sub(NUMBER, "0", text).split() for text in (want, got)]
        same = [math.isclose(float(a), float(b), rel_tol=0.2) for a, b in pairs]
        return words[0] == words[1] and all(same[: len(re.findall(NUMBER, want))])


@pytest.mark.parametrize("page", ["README.md", "docs/choosing.md"])
def test_the_python_example(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = blocks(page, "pycon")
    example = doctest.DocTestParser().get_doctest(code, {}, page, page, 0)
    told = []
    runner = doctest.DocTestRunner(checker=Near(), verbose=False)
    assert runner.run(example, out=told.append).failed == 0, "".join(told)


def test_the_commands(tmp_path, monkeypatch, capsys):
    main = pytest.importorskip("pushforward.cli").main
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("README.md", "console")
    commands = [line[2:] for line in code.splitlines() if line.startswith("$ ")]
    assert len(commands) == 4
    for command in commands:
        name, *arguments = shlex.split(command)
        assert name == "pushforward"
        monkeypatch.setattr("sys.argv", [name, *arguments])
        try:
            code = main()
        except SystemExit as stop:
            code = stop.code
        assert not code, command + "\n" + capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"cells", "rows.csv", "scores.csv"}


def test_the_model_of_contributing(monkeypatch, tmp_path):
    code, *_ = blocks("CONTRIBUTING.md", "python")
    module = types.ModuleType("pushforward.models.sliced.one_gaussian")
    module.__package__ = "pushforward.models.sliced"
    monkeypatch.setitem(__import__("sys").modules, module.__name__, module)
    exec(code, module.__dict__)
    monkeypatch.setattr(
        "pushforward.estimators.base.MODELS",
        {"OneGaussian": "pushforward.models.sliced.one_gaussian"},
    )
    X = np.random.default_rng(0).normal(size=(2000, 2)) * [1, 5]
    model = module.OneGaussian(random_state=0).fit(X)
    truth = -np.log(2 * np.pi * 5) - 0.5 * (X**2 / [1, 25]).sum(1)
    assert abs(model.score_samples(X) - truth).mean() < 0.05
    assert (model.predict(X) == -1).mean() == pytest.approx(0.05, abs=0.02)
    again = pushforward.load(model.save(tmp_path / "model"))
    assert (again.score_samples(X) == model.score_samples(X)).all()


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))]
)
def test_links_lead_somewhere(page):
    here = (ROOT / page).parent
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text()):
        assert target.startswith("https://") or (here / target).exists(), target

"""Two processes refine and sample as one does."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from pushforward.errors import DataError
from pushforward.refinement import cost_estimate, density_ratio, ratio_network, refine
from pushforward.refinement.budget import Budget
from pushforward.refinement.dgflow_search import Search
from pushforward.refinement.methods import dgflow
from pushforward.refinement.sample_spaces import Space
from pushforward.training import Processes


@pytest.fixture
def short(monkeypatch):
    """Little is learned and tried, in copies of this process too."""
    monkeypatch.setattr(ratio_network, "_WIDTH", 4)
    for name, value in (("_POOLED", 200), ("_STEPS", 20), ("_STEPS_THAT_WEIGH", 20)):
        monkeypatch.setattr(density_ratio, name, value)
    for module in (dgflow, cost_estimate):
        monkeypatch.setattr(
            module, "search_of", lambda n: Search(200, (0.01, 0.03), (0.5,), (5, 20))
        )


def refined():
    """By a logit that is known, by networks that are learned, and while clocks disagree."""
    draw = torch.Generator().manual_seed(0)
    data = torch.randn(400, 1, generator=draw) + 1
    known = refine(lambda z: z, data, prior=1, logit=lambda x: x[:, 0] - 0.5)
    learned = refine(lambda z: z, data, prior=1, method="rejection")
    own = Budget.out_of_time
    here = Processes().rank
    # one whose clock is ahead
    Budget.out_of_time = lambda self, ahead=0.0: here > 0 or own(self, ahead)
    hurried = refine(lambda z: z, data, prior=1, minutes=10)
    return {
        "hurried": hurried.sample(300, random_state=0),
        "known": known.sample(300, random_state=0),
        "learned": learned.sample(1000, random_state=0),
    }


def saved(path):
    samples = refined()
    group = Processes()
    assert group.count == 2
    if group.first:
        save_file(samples, path)


def test_two_processes_sample_the_same_rows_as_one(processes, short, tmp_path, monkeypatch):
    ended = processes(2, saved, tmp_path / "two.safetensors")
    assert ended.codes == [0, 0], ended.stderr
    two = load_file(tmp_path / "two.safetensors")
    monkeypatch.setattr(Budget, "out_of_time", Budget.out_of_time)  # is put back
    one = refined()
    assert torch.equal(one["known"], two["known"])
    assert len(two["hurried"]) == 300  # none waits for one that has stopped
    # a network that is learned together is the same but for rounding
    gap = one["learned"].mean() - two["learned"].mean()
    assert float(gap.abs()) < 0.1


def one_fails(kind):
    rank = Processes().rank

    def draw(n, generator):
        if rank == 1:
            raise DataError("a bad point") if kind == "named" else KeyError("a defect")
        return torch.zeros(n, 1)

    try:
        Space(draw, lambda x: x).points(3000, 0)
    except DataError as error:
        print(f"process {rank}: {error}", flush=True)


def test_none_waits_for_a_process_that_failed(processes):
    """Each knows of an error that has a name; a defect ends them all."""
    ended = processes(2, one_fails, "named")
    assert ended.codes == [0, 0], ended.stderr
    assert "process 1: a bad point" in ended.stdout
    assert "process 0: 1 of 2 processes failed" in ended.stdout
    ended = processes(2, one_fails, "defect")
    assert all(ended.codes)
    assert "a defect" in ended.stderr

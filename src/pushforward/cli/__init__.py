"""The ``pushforward`` command. Torch is loaded inside the commands, so help comes at once."""

from .app import app, main

__all__ = ["app", "main"]

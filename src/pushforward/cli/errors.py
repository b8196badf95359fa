"""Exit codes and error lines: one line for an error of the user, a traceback for a bug."""

import codecs
import io
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import typer
from typer.core import TyperGroup

from ..errors import PushforwardError, Terminated
from ..plain_text import printable
from ..wording import near_file, wording
from .advice import refusal_text, written_as_options
from .arguments import QUIET
from .console import Console

__all__ = ["CommandLine", "UsageError", "interruption_code"]

USER_ERROR, BUG, INTERRUPTED, PIPE_CLOSED, TERMINATED = 2, 1, 130, 141, 143

# Typer keeps click's classes under changing names; a public one leads to those needed.
UsageError: Any = typer.BadParameter.__bases__[0]
_CliError: Any = UsageError.__bases__[0]


class CommandLine(TyperGroup):
    """The group of all commands, with the exit codes and error lines of this package."""

    def main(
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        """Run the words of a command line and exit; see the module's exit codes."""
        words = list(sys.argv[1:] if args is None else args)
        debug = "--debug" in words  # anywhere: one appends it to the line that failed
        words = [word for word in words if word != "--debug"]
        with warnings.catch_warnings(), _open_streams():
            warnings.showwarning = _no_note if QUIET & set(words) else _note_warning
            with _ended_in_order(), wording(written_as_options(words, self.commands)):
                code = self._code(words, debug)
        sys.exit(code)

    def _code(self, words: list[str], debug: bool) -> int:
        try:
            with self.make_context("pushforward", words) as ctx:
                self.invoke(ctx)
            return _flushed()
        except typer.Exit as done:
            return done.exit_code
        except (KeyboardInterrupt, typer.Abort) as error:
            Console().error("interrupted; nothing was kept of what was not finished.")
            return interruption_code(error)
        except BrokenPipeError:
            _forget_stdout()
            return PIPE_CLOSED
        except Exception as error:
            text = _user_error(error, words)
            if debug or text is None:
                traceback.print_exc()
            if text is None:
                Console().error("this is a bug. Please report it with the lines above.")
                return BUG
            if isinstance(error, OSError) and not error.filename:
                _forget_stdout()  # else what is buffered fails once more at the end
            Console().error(text)
            return USER_ERROR


def interruption_code(error: BaseException) -> int:
    """The exit code after Ctrl-C, or after the job was asked to end."""
    return TERMINATED if isinstance(error, Terminated) else INTERRUPTED


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Inside, a job that is asked to end removes its temporary files, as one interrupted does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: Any) -> None:
    raise Terminated


def _user_error(error: Any, words: Sequence[str] = ()) -> str | None:
    """The message of an error of the user, on one line; None for a bug."""
    if isinstance(error, UsageError):
        command = error.ctx.command_path if error.ctx else "pushforward"
        text = refusal_text(error, words)
        if text is None:
            text = error.format_message().replace("Value error, ", "").rstrip(".")
        stop = "" if text.endswith(("?", "!")) else "."
        return _one_line(f"{text}{stop} See {command} --help.")
    if isinstance(error, _CliError):
        return _one_line(error.format_message())
    if isinstance(error, PushforwardError):
        return _one_line(str(error))
    if isinstance(error, MemoryError):
        return "there is not enough memory for this. Give smaller numbers, or fewer rows."
    if isinstance(error, OSError):
        # files of ours are named, so that what has no name is where results go
        where = f"{error.filename}: " if error.filename else "the output cannot be written: "
        gone = isinstance(error, FileNotFoundError) and isinstance(error.filename, str)
        hint = near_file(error.filename) if gone else ""
        return _one_line(f"{where}{error.strerror or error}{hint}.")
    return None


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))


def _note_warning(message: Warning | str, *place: Any, **more: Any) -> None:
    # a plain write: a progress bar that is up catches it and puts it above itself
    print(f"pushforward: note: {_one_line(str(message))}", file=sys.stderr)


def _no_note(message: Warning | str, *place: Any, **more: Any) -> None:
    """Discard a warning, for --quiet."""


@contextmanager
def _open_streams() -> Iterator[None]:
    """Give results somewhere to go: stdout may be closed, or know no letters beyond ASCII."""
    with ExitStack() as opened:
        for name in ("stdout", "stderr"):
            stream = vars(sys)[name]
            if stream is None:
                nowhere = opened.enter_context(open(os.devnull, "w", encoding="utf-8"))
                setattr(sys, name, nowhere)
                opened.callback(setattr, sys, name, None)  # before it is closed
            else:
                _write_all_letters(stream)
        yield


def _write_all_letters(stream: Any) -> None:
    """Have a stream write letters that its encoding lacks, as escapes."""
    if isinstance(stream, io.TextIOWrapper):
        ascii_only = codecs.lookup(stream.encoding).name == "ascii"
        encoding = "utf-8" if ascii_only else stream.encoding
        stream.reconfigure(encoding=encoding, errors="backslashreplace")


def _flushed() -> int:
    """The exit code of a command that did all it had to, when its results are out."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:  # a full disk behind a redirection
        _forget_stdout()
        Console().error(str(_user_error(error)))
        return USER_ERROR
    return 0


def _forget_stdout() -> None:
    """Discard what is still buffered for a closed pipe."""
    with suppress(OSError, ValueError, AttributeError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())

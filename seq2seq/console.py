"""What the commands share: one-line complaints with the right exit code, and files that are whole or not there."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

import typer

PROGRAM = "python -m seq2seq"
LINE = 300
"""Characters of a complaint that are shown: some libraries put pages into their messages."""


class CallError(typer.TyperException):
    """A wrong call or bad input: exit code 2. The message is one line: what is wrong and how to mend it."""

    exit_code = 2


@contextlib.contextmanager
def bad_input() -> Iterator[None]:
    """The package's errors about files, texts, checkpoints and settings are all ValueError or OSError; to the caller of
    a command they are bad input."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (ValueError, OSError) as error:
        raise CallError(plain(error)) from error


def plain(error: Exception) -> str:
    """The error's message without Python's "[Errno 2]"."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def note(message: str) -> None:
    """A message to the person at the terminal; results have standard output for themselves."""
    print(message, file=sys.stderr, flush=True)


def complain(message: str) -> None:
    """One line on standard error, whatever the message was."""
    line = " ".join(message.split())
    note("error: " + (line if len(line) <= LINE else line[:LINE] + " …"))


def check_writable(path: Path) -> None:
    """Says before the work begins that its result could not be written. Raises CallError."""
    folder = path.parent
    if not folder.is_dir():
        raise CallError(f"cannot write {path}: there is no folder {folder}; make it first")
    if path.is_dir():
        raise CallError(f"cannot write {path}: it is a folder; give a file name")
    if not os.access(folder, os.W_OK):
        raise CallError(f"cannot write {path}: no permission to write in {folder}")


def project_path(checkpoint: str) -> str:
    """A relative folder that is not here but stands beside the package: `checkpoints/…` works from anywhere."""
    beside = Path(__file__).resolve().parent.parent / checkpoint
    return str(beside) if not Path(checkpoint).exists() and beside.is_dir() else checkpoint


def input_lines() -> list[str]:
    """The lines of standard input; blank ones at its end do not count. Raises CallError."""
    if sys.stdin.isatty():
        note("Type one sentence a line; end with Ctrl-D (Ctrl-Z and Enter on Windows).")
    lines = []
    for number, line in enumerate(sys.stdin.buffer.read().removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise CallError(f"standard input, line {number}: not UTF-8 ({error.reason}); convert it first") from None
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise CallError("there is nothing to translate; give a TEXT, or lines on standard input")
    return lines


def check_texts(texts: Sequence[str], name: str) -> None:
    """Refuses all texts for one that cannot be translated, by its number. Raises CallError."""
    from seq2seq.translator import TextError, clean

    for number, text in enumerate(texts, 1):
        try:
            clean(text)
        except TextError as error:
            raise CallError(f"{name} {number}: {error}") from None


def write_files(writers: dict[Path | None, Callable[[list], str | bytes]], results: list) -> None:
    """Writes what each function makes of the results to its file, if one was asked for. Raises OSError, which names the file
    that could not be written, and leaves no half of it."""
    from seq2seq.checkpoint import write_beside

    for path, write in writers.items():
        if path:
            write_beside(path, write(results))
            note(f"wrote {path}")


@contextlib.contextmanager
def whole_files(*paths: Path | None) -> Iterator[list[TextIO | None]]:
    """Files to write to, None where none was asked for. They take their names when the block ends; if it is left by an error
    or a Ctrl-C, none of them is there, and what stood there before still does."""
    beside = [path and path.with_name(f"{path.name}.{os.getpid()}.tmp") for path in paths]
    try:
        with contextlib.ExitStack() as stack:
            yield [path and stack.enter_context(path.open("w", encoding="utf-8", newline="")) for path in beside]
        for made, path in zip(beside, paths):
            if made and path:
                os.replace(made, path)
                note(f"wrote {path}")
    except OSError as error:
        if error.filename or isinstance(error, BrokenPipeError) or not any(paths):
            raise
        # That of a full disk names no file.
        raise OSError(error.errno, error.strerror, " or ".join(str(path) for path in paths if path)) from error
    finally:
        for made in filter(None, beside):
            made.unlink(missing_ok=True)


def progress_notes(messages: Iterable[str], every: float = 10.0) -> None:
    """Goes through the messages of long work: on a terminal each in place of the one before, else one now and then."""
    terminal, last, shown = sys.stderr.isatty(), time.monotonic(), 0
    for message in messages:
        if terminal:
            print("\r" + message.ljust(shown), end="", file=sys.stderr, flush=True)
            shown = len(message)
        elif time.monotonic() - last >= every:
            note(message)
            last = time.monotonic()
    if shown:
        note("")

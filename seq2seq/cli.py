"""`python -m seq2seq COMMAND`: results on standard output, everything else on standard error.

Exit code 0; 1 when the work failed; 2 for a wrong call or bad input. Only what a command needs is imported, inside it, so
that `--help` does not wait for torch.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from seq2seq.console import CallError, bad_input, complain, note, plain
from seq2seq.options import configs, expand_lists, with_settings

app = typer.Typer(
    help="Translate with small recurrent networks and see what they read.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
PROGRAM = "python -m seq2seq"
SHIPPED_LIMIT = 10_000_000
"""Bytes of a file in a checkpoint that ships."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code. With SEQ2SEQ_TRACEBACK set, unforeseen errors show where they arose."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8")
    typed = shlex.join([*PROGRAM.split(), *arguments])
    try:
        code = typer.main.get_command(app)(expand_lists(arguments), prog_name=PROGRAM, standalone_mode=False, obj=typed)
        sys.stdout.flush()
        return code or 0
    except typer.TyperException as error:
        complain(error.format_message())
        return error.exit_code
    except BrokenPipeError:
        # The reader has gone, as with `| head`. What is still buffered must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except typer.Abort:
        return 130
    except Exception as error:
        if os.environ.get("SEQ2SEQ_TRACEBACK"):
            traceback.print_exc()
        complain(f"{type(error).__name__}: {error}")
        return 1


@app.callback()
def commands() -> None:
    """Translate with small recurrent networks and see what they read."""


@app.command()
@with_settings
def train(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the checkpoint.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from where the run in --out stopped.")] = False,
    tokenizer: Annotated[Path | None, typer.Option(metavar="FILE", help="Use this tokenizer.json instead of learning one.")] = None,
    test: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="Pairs to score the finished model on. May be given several times.")
    ] = None,
    **settings,
) -> None:
    """Train a model and leave a checkpoint: weights, tokenizer, metrics and model card."""
    from seq2seq.data import read_pairs
    from seq2seq.decoder import DECODERS
    from seq2seq.training import Run, TrainingError
    from seq2seq.training import train as run_training

    with bad_input():
        model_config, config = configs(settings)
        if model_config.kind not in DECODERS:
            raise CallError(f"unknown --kind {model_config.kind}; choose one of {', '.join(DECODERS)}")
        tests = {path: read_pairs(path) for path in test or ()}
    started: list[Run] = []

    def on_start(run: Run) -> None:
        started.append(run)
        size = 2 * run.plain_model.parameter_count()
        if size >= SHIPPED_LIMIT and run.accelerator.is_main_process:
            note(f"warning: the weights will take {size:,} bytes; a checkpoint that ships stays under {SHIPPED_LIMIT:,}")

    try:
        run = run_training(model_config, config, out, resume=resume, tokenizer=tokenizer, on_start=on_start)
        if run.accelerator.is_main_process:
            _after_training(run, tests, ctx.obj)
    except KeyboardInterrupt:
        saved = int(started[0].log[-1]["step"]) if started and started[0].log else 0
        note(f"stopped; the same command with --resume goes on from step {saved}")
        raise typer.Exit(130) from None
    except (ValueError, OSError, TrainingError) as error:
        # Before the first step it was the call; later it is the work that failed.
        raise (typer.TyperException if started else CallError)(plain(error)) from error


def _after_training(run, tests: dict[str, list], command: str) -> None:
    """Scores the saved weights, writes metrics and card, prints the metrics."""
    from seq2seq.evaluation import evaluate as score
    from seq2seq.results import data_name, read_metrics, training_record, write_metrics
    from seq2seq.translator import Translator

    record = training_record(run, command)
    metrics = read_metrics(run.out)
    if metrics.get("training", {}).get("best_step") != record["best_step"]:
        metrics = {}  # they told of other weights
    metrics["training"] = record
    translator = Translator.from_checkpoint(run.out)
    for path, pairs in tests.items():
        note(f"scoring {path}")
        again = shlex.join([*PROGRAM.split(), "evaluate", "--checkpoint", str(run.out), "--data", path])
        metrics[data_name(path)] = {**score(translator, pairs), "command": again}
    write_metrics(run.out, metrics)
    print(json.dumps(metrics, indent=2, ensure_ascii=False))

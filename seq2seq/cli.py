"""`python -m seq2seq COMMAND`: results on standard output, everything else on standard error.

Exit code 0; 1 when the work failed; 2 for a wrong call or bad input. A command imports what it needs itself, so that
`--help` does not wait for torch.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from seq2seq.console import (
    PROGRAM,
    CallError,
    bad_input,
    check_texts,
    check_writable,
    complain,
    input_lines,
    note,
    plain,
    project_path,
    write_files,
)
from seq2seq.options import configs, expand_lists, with_settings

app = typer.Typer(
    help="Translate with small recurrent networks and see what they read.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
CHUNK = 256
"""Texts that are translated before their results are printed."""
Checkpoint = Annotated[str, typer.Option(metavar="DIR", help="Folder of a checkpoint, or its id on the Hub.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Beam = Annotated[int, typer.Option(help="Hypotheses followed at once; 1 is greedy search.")]
DEFAULT_CHECKPOINT = "checkpoints/en-fr-additive"
SHIPPED_LIMIT = 10_000_000
"""Bytes of a file in a checkpoint that ships."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code. SEQ2SEQ_TRACEBACK=1 shows where an unforeseen error arose."""
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
def translate(
    text: Annotated[
        list[str] | None, typer.Argument(help="What to translate; without it, each line of standard input.")
    ] = None,
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    beam: Beam = 1,
    n_best: Annotated[int, typer.Option(help="Hypotheses given for each text, at most as many as --beam.")] = 1,
    target: Annotated[str | None, typer.Option(help="Score and align this translation instead of searching.")] = None,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, with attention and scores.")] = False,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the attention as a table.")] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write one offline page with pictures.")
    ] = None,
    start: Annotated[str, typer.Option(metavar="TEXT", help="What if the translation had to begin so?")] = "",
    without: Annotated[
        list[str] | None, typer.Option(metavar="WORD", help="What if this source word could not be read?")
    ] = None,
    dial: Annotated[
        float, typer.Option(metavar="X", help="Attention from -1 (uniform) over 0 (learned) to 1 (one-hot).")
    ] = 0.0,
    point: Annotated[
        str, typer.Option(metavar="T=S", help="While it writes word T, look only at source word S; both from 1.")
    ] = "",
) -> None:
    """Translate each TEXT, or each line of standard input, in order."""
    for path in (csv, html):
        if path:
            check_writable(path)
    texts = text or input_lines()
    from seq2seq.explain import what_if
    from seq2seq.report import to_csv, to_html, to_json_line
    from seq2seq.translator import Translator, check_search

    check_texts(texts, "text" if text else "line")
    if target is not None:
        check_texts([target], "--target")
        if n_best > 1:
            raise CallError("--n-best means nothing with --target, which is the only hypothesis; leave one of them out")
    with bad_input():
        check_search(beam, n_best)
        translator = Translator.from_checkpoint(project_path(checkpoint), device)
        if asked := bool(start.strip() or without or dial or point):
            if len(texts) != 1 or beam != 1 or target is not None:
                raise CallError("what-if flags go with one text and greedy search; leave --beam and --target out")
    kept = []
    for first in range(0, len(texts), CHUNK):
        with bad_input():
            chunk = texts[first : first + CHUNK]
            if asked:
                where = parse_point(point) if point else None
                made = [what_if(translator, chunk[0], start=start, without=without or (), turn=dial, point=where)]
            else:
                made = translator.translate(chunk, beam_size=beam, n_best=n_best, target=target)
        for number, translation in enumerate(made, first + 1):
            for warning in translation.warnings:
                note(f"warning: {'text' if text else 'line'} {number}: {warning}")
            if as_json:
                print(to_json_line(translation))
            elif n_best > 1 or target is not None:
                for hypothesis in (translation, *translation.alternatives):
                    print(f"{number}\t{hypothesis.log_prob:.4f}\t{hypothesis.translation}")
            else:
                print(translation.translation)
        sys.stdout.flush()
        kept += made if csv or html else ()
    write_files({csv: to_csv, html: to_html}, kept)


def parse_point(text: str) -> tuple[int, int]:
    """ "4=5" -> (3, 4). Raises CallError."""
    found = re.fullmatch(r"([1-9][0-9]*)=([1-9][0-9]*)", text)
    if not found:
        raise CallError(f"--point is {text!r}; give two numbers from 1 such as 4=5: French word, English word")
    return int(found[1]) - 1, int(found[2]) - 1


@app.command()
def evaluate(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Source, reference, further references (.tsv, .csv, also .gz).")
    ] = None,
    alignment: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Source tokens, target tokens, sure links, possible links, tab separated."),
    ] = None,
    faithfulness: Annotated[
        bool, typer.Option("--faithfulness", help="With --data: does masking the most attended word matter?")
    ] = False,
    beam: Beam = 1,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    save: Annotated[bool, typer.Option("--save", help="Also write it into the checkpoint's metrics and card.")] = False,
) -> None:
    """Score a checkpoint: BLEU and chrF of its translations (--data), its alignment error rate (--alignment), or how often its
    attention names the word that matters (--data and --faithfulness)."""
    if (data is None) == (alignment is None):
        raise CallError("give either --data FILE or --alignment FILE")
    if faithfulness and (alignment or beam != 1):
        raise CallError("--faithfulness goes with --data and greedy search; leave --alignment and --beam out")
    from seq2seq import evaluation
    from seq2seq.data import read_pairs
    from seq2seq.results import read_metrics, save_score, score_table
    from seq2seq.translator import Translator, check_search

    folder = project_path(checkpoint)
    with bad_input():
        if save and not Path(folder).is_dir():
            raise CallError(f"--save writes into a checkpoint's folder, and {checkpoint} is none")
        if save:
            read_metrics(Path(folder))  # what cannot be read is reported before the work, not after it
        check_search(beam)
        examples = read_pairs(data) if data else evaluation.read_alignments(alignment)
        check_texts([example.source for example in examples], f"{data or alignment}, pair")
        translator = Translator.from_checkpoint(folder, device)
    try:
        if faithfulness:
            result = evaluation.evaluate_faithfulness(translator, examples)
        elif data:
            result = evaluation.evaluate(translator, examples, beam_size=beam)
        else:
            result = evaluation.evaluate_alignment(translator, examples)
    except evaluation.NoAttentionError:
        raise CallError(f"{checkpoint} has no attention to judge; choose another --checkpoint") from None
    if save:
        given = ("--data", str(data)) if data else ("--alignment", str(alignment))
        given += ("--faithfulness",) * faithfulness
        save_score(Path(folder), result, checkpoint, given, beam if data else 1)
    print(json.dumps(result, ensure_ascii=False) if as_json else score_table(result))


@app.command()
def compare(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to translate.")],
    left: Checkpoint = "checkpoints/en-fr-plain",
    right: Checkpoint = DEFAULT_CHECKPOINT,
    reference: Annotated[str, typer.Option(metavar="TEXT", help="A French translation to score both against.")] = "",
    beam: Beam = 1,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, both translations in it.")] = False,
) -> None:
    """Translate TEXT with two checkpoints under the same settings, and say where they part."""
    from seq2seq import comparison
    from seq2seq.translator import Translator, check_search

    check_texts([text], "text")
    with bad_input():
        check_search(beam)
        comparison.clean_reference(reference)
        sides = [Translator.from_checkpoint(project_path(checkpoint), device) for checkpoint in (left, right)]
    made = comparison.compare(*sides, text, reference, beam)
    for name, warnings in (("left", made.left.warnings), ("right", made.right.warnings), ("reference", made.warnings)):
        for warning in warnings:
            note(f"warning: {name}: {warning}")
    print(json.dumps(made.to_dict(), ensure_ascii=False) if as_json else comparison.summary_lines(made))


@app.command()
@with_settings
def train(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the checkpoint.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from where the run in --out stopped.")] = False,
    tokenizer: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Use this tokenizer.json instead of learning one.")
    ] = None,
    test: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Pairs to score the finished model on. May be given several times."),
    ] = None,
    **settings,
) -> None:
    """Train a model and leave a checkpoint: weights, tokenizer, metrics and model card."""
    from seq2seq.classic import CLASSIC, CLASSIC_SIZES
    from seq2seq.data import read_pairs
    from seq2seq.model import kinds
    from seq2seq.results import after_training
    from seq2seq.training import Run
    from seq2seq.training import train as run_training
    from seq2seq.training_state import TrainingError

    if settings["kind"] in CLASSIC:
        settings |= {
            name: size for name, size in CLASSIC_SIZES.items() if ctx.get_parameter_source(name).name == "DEFAULT"
        }
    with bad_input():
        model_config, config = configs(settings)
        if model_config.kind not in kinds():
            raise CallError(f"unknown --kind {model_config.kind}; choose one of {', '.join(kinds())}")
        tests = {path: read_pairs(path) for path in test or ()}
        for path, pairs in tests.items():
            check_texts([pair.source for pair in pairs], f"{path}, pair")
    started: list[Run] = []

    def on_start(run: Run) -> None:
        started.append(run)
        size = 2 * run.plain_model.parameter_count()
        if size >= SHIPPED_LIMIT and run.accelerator.is_main_process:
            note(
                f"warning: the weights will take {size:,} bytes; a checkpoint that ships stays under {SHIPPED_LIMIT:,}"
            )

    try:
        run = run_training(model_config, config, out, resume=resume, tokenizer=tokenizer, on_start=on_start)
        if run.accelerator.is_main_process:
            after_training(run, tests, ctx.obj)
    except KeyboardInterrupt:
        saved = f"step {int(started[0].log[-1]['step'])}" if started and started[0].log else "where it began"
        note(f"stopped; the same command with --resume goes on from {saved}")
        raise typer.Exit(130) from None
    except (ValueError, OSError, TrainingError) as error:
        # Before the first step it was the call; later it is the work that failed.
        raise (typer.TyperException if started else CallError)(plain(error)) from error


@app.command()
def import_tutorial(
    ctx: typer.Context,
    encoder: Annotated[Path, typer.Argument(metavar="ENCODER.pt", help="The state_dict of an EncoderRNN.")],
    decoder: Annotated[
        Path, typer.Argument(metavar="DECODER.pt", help="The state_dict of a DecoderRNN or AttnDecoderRNN.")
    ],
    source_words: Annotated[
        Path,
        typer.Option(metavar="FILE", help="One word a line in the order of their ids; the first is start, then end."),
    ],
    target_words: Annotated[Path, typer.Option(metavar="FILE", help="The same for the target language.")],
    max_length: Annotated[
        int, typer.Option(metavar="N", help="The tutorial's MAX_LENGTH: source words read, the end among them.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the checkpoint; it must be new.")],
) -> None:
    """Make a checkpoint out of weights that were trained with the PyTorch tutorial's modules."""
    from seq2seq import tutorial
    from seq2seq.results import import_record, write_metrics
    from seq2seq.tokenizer import SPECIALS

    with bad_input():
        model = tutorial.import_tutorial(
            encoder,
            decoder,
            source_words,
            target_words,
            max_length,
            out,
            lambda folder, made: write_metrics(folder, {"import": import_record(made, encoder, decoder, ctx.obj)}),
        )
    config = model.config
    if (size := 4 * model.parameter_count()) >= SHIPPED_LIMIT:
        note(f"warning: the weights take {size:,} bytes; a checkpoint that ships stays under {SHIPPED_LIMIT:,}")
    print(
        f"{out}: {config.kind}, {config.source_vocabulary - len(SPECIALS)} source words, "
        f"{config.vocab_size - len(SPECIALS)} target words, hidden size {config.hidden_size}, "
        f"max length {config.max_length}"
    )


@app.command()
def bench(
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Measure this machine: matrix products, memory, training and decoding, side by side. Takes under a minute."""
    from seq2seq import bench as measured
    from seq2seq.translator import choose_device

    with bad_input():
        where = choose_device(device)
    result = measured.bench(where)
    print(json.dumps(result) if as_json else measured.table(result))

"""`python -m seq2seq COMMAND`: results on standard output, everything else on standard error.

Exit code 0; 1 when the work failed; 2 for a wrong call or bad input. A command imports what it needs itself, so that
`--help` does not wait for torch.
"""

from __future__ import annotations

import io
import json
import os
import re
import runpy
import shlex
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, TextIO

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
    progress_notes,
    project_path,
    whole_files,
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
        if isinstance(stream, io.TextIOWrapper):  # not what a notebook puts there
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
        discard_output()  # the reader has gone, as with `| head`
        return 1
    except typer.Abort:
        return 130
    except OSError as error:  # such as a full disk
        discard_output()
        complain(plain(error))
        return 1
    except Exception as error:
        if os.environ.get("SEQ2SEQ_TRACEBACK"):
            traceback.print_exc()
        complain(f"{type(error).__name__}: {error}")
        return 1


def discard_output() -> None:
    """What is still buffered and cannot be written must not complain at exit either."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    pptx: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write PowerPoint slides, one for each text.")
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
    posterior: Annotated[
        bool,
        typer.Option("--posterior", help="Give for attention where each word was read from, now that it is known."),
    ] = False,
) -> None:
    """Translate each TEXT, or each line of standard input, in order."""
    for path in (csv, html, pptx):
        if path:
            check_writable(path)
    texts = text or input_lines()
    from seq2seq.explain import read_from, what_if
    from seq2seq.report import to_csv, to_html, to_json_line
    from seq2seq.slides import to_pptx
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
            if posterior:
                raise CallError("--posterior goes with the model's own attention; leave the what-if flags out")
    kept = []
    for first in range(0, len(texts), CHUNK):
        with bad_input():
            chunk = texts[first : first + CHUNK]
            if asked:
                where = parse_point(point) if point else None
                made = [what_if(translator, chunk[0], start=start, without=without or (), turn=dial, point=where)]
            else:
                made = translator.translate(chunk, beam_size=beam, n_best=n_best, target=target)
            if posterior:
                made = [read_from(translator, one)[0] for one in made]
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
        kept += made if csv or html or pptx else ()
    write_files({csv: to_csv, html: to_html, pptx: to_pptx}, kept)


def parse_point(text: str) -> tuple[int, int]:
    """ "4=5" -> (3, 4). Raises CallError."""
    found = re.fullmatch(r"([1-9][0-9]*)=([1-9][0-9]*)", text)
    if not found:
        raise CallError(
            f"--point is {text!r}; give two numbers from 1 such as 4=5: word of the translation, word of the text"
        )
    return int(found[1]) - 1, int(found[2]) - 1


@app.command()
def batch(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="One sentence a line (.txt), or in the first column (.tsv, .csv).")
    ],
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    beam: Beam = 1,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the table goes; without --csv and --jsonl it is printed.")
    ] = None,
    jsonl: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the objects of `translate --json` go, one a line.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Translate a file of up to 5,000 lines, in order. A line that cannot be translated says why in the column `error` and does
    not stop the others."""
    if csv and jsonl and csv.resolve() == jsonl.resolve():
        raise CallError("--csv and --jsonl are the same file; give two names")
    for path in filter(None, (csv, jsonl)):
        check_writable(path)
        if path.resolve() == file.resolve():
            raise CallError(f"{path} would replace what is to be translated; give another name")
    from seq2seq.batch import how_far, read_file, run_batch, save
    from seq2seq.translator import Translator, check_search

    with bad_input():
        check_search(beam)
        lines = read_file(file)
        translator = Translator.from_checkpoint(project_path(checkpoint), device)
    with whole_files(csv, jsonl) as (table, objects):
        out = None if csv or jsonl else sys.stdout
        progress_notes(map(how_far, save(run_batch(translator, lines, beam), table or out, objects)))
    if refused := sum(1 for line in lines if line.error):
        note(f"warning: {refused} of {len(lines)} lines could not be translated; the results say why")


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
    truth: Annotated[
        bool,
        typer.Option("--truth", help="With --data: scenes, of which it is known what is right, and where to look."),
    ] = False,
    joined: Annotated[
        bool, typer.Option("--joined", help="With --data: score texts of 25 to 40 words, neighbouring pairs joined.")
    ] = False,
    reverse: Annotated[
        bool, typer.Option("--reverse", help="Score the other direction: the second column of the file is the source.")
    ] = False,
    beam: Beam = 1,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    save: Annotated[bool, typer.Option("--save", help="Also write it into the checkpoint's metrics and card.")] = False,
) -> None:
    """Score a checkpoint: BLEU and chrF of its translations (--data), its alignment error rate (--alignment), or how often its
    attention names the word that matters (--data and --faithfulness). With --data and --truth: of scenes, what share is
    right."""
    if (data is None) == (alignment is None):
        raise CallError("give either --data FILE or --alignment FILE")
    if (faithfulness or truth) and (alignment or beam != 1 or faithfulness == truth):
        flag = "--truth" if truth else "--faithfulness"
        raise CallError(f"{flag} goes with --data and greedy search; leave other measures and --beam out")
    if joined and (alignment or faithfulness or truth):
        raise CallError("--joined goes with --data and its scores; leave the other measures out")
    from seq2seq import evaluation
    from seq2seq.data import read_pairs
    from seq2seq.results import read_metrics, save_score, score_table
    from seq2seq.translator import Translator, check_search
    from seq2seq.truth import evaluate_truth

    folder = project_path(checkpoint)
    with bad_input():
        if save and not Path(folder).is_dir():
            raise CallError(f"--save writes into a checkpoint's folder, and {checkpoint} is none")
        if save:
            read_metrics(Path(folder))  # what cannot be read is reported before the work, not after it
        check_search(beam)
        pairs = read_pairs(data, reverse) if data else []
        if joined and not (pairs := evaluation.joined(pairs)):
            raise CallError(f"{data} has too few pairs to join to texts of 25 to 40 words; leave --joined out")
        aligned = evaluation.read_alignments(alignment) if alignment else []
        if reverse:
            aligned = [example.turned() for example in aligned]
        check_texts([example.source for example in pairs or aligned], f"{data or alignment}, pair")
        translator = Translator.from_checkpoint(folder, device)
    try:
        if faithfulness:
            result = evaluation.evaluate_faithfulness(translator, pairs)
        elif truth:
            with bad_input():
                result = evaluate_truth(translator, pairs)
        elif data:
            result = evaluation.evaluate(translator, pairs, beam_size=beam)
            if joined:
                del result["by_length"]  # all are of one length
        else:
            result = evaluation.evaluate_alignment(translator, aligned)
    except evaluation.NoAttentionError:
        raise CallError(f"{checkpoint} has no attention to judge; choose another --checkpoint") from None
    if save:
        given = ("--data", str(data)) if data else ("--alignment", str(alignment))
        given += ("--faithfulness",) * faithfulness + ("--truth",) * truth
        given += ("--joined",) * joined + ("--reverse",) * reverse
        save_score(Path(folder), result, checkpoint, given, beam if data else 1)
    print(json.dumps(result, ensure_ascii=False) if as_json else score_table(result))


@app.command()
def compare(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to translate.")],
    left: Checkpoint = "checkpoints/en-fr-plain",
    right: Checkpoint = DEFAULT_CHECKPOINT,
    reference: Annotated[str, typer.Option(metavar="TEXT", help="A right translation to score both against.")] = "",
    beam: Beam = 1,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, both translations in it.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write one offline page with both.")] = None,
    pptx: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write PowerPoint slides with both.")] = None,
) -> None:
    """Translate TEXT with two checkpoints under the same settings, and say where they part."""
    for path in (html, pptx):
        if path:
            check_writable(path)
    from seq2seq import comparison
    from seq2seq.explain import evidence
    from seq2seq.report import to_html
    from seq2seq.sheet import comparison_sheet
    from seq2seq.slides import to_pptx
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
    if html or pptx:
        translations = {"left": made.left, "right": made.right}
        seen = {name: evidence(side, translations[name]) for side, name in zip(sides, translations)}
        write_files({html: to_html, pptx: to_pptx}, [comparison_sheet(made, evidence=seen)])


@app.command()
@with_settings
def train(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the checkpoint.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from where the run in --out stopped.")] = False,
    tokenizer: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Use this tokenizer.json instead of learning one.")
    ] = None,
    start_from: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Begin with the weights and tokenizer of this checkpoint.")
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
    from seq2seq.results import after_training, read_metrics
    from seq2seq.training import Run
    from seq2seq.training import train as run_training
    from seq2seq.training_state import TrainingError

    if settings["kind"] in CLASSIC:
        sources = {name: ctx.get_parameter_source(name) for name in CLASSIC_SIZES}
        settings |= {
            name: CLASSIC_SIZES[name] for name, source in sources.items() if source and source.name == "DEFAULT"
        }
    with bad_input():
        model_config, config = configs(settings)
        if config.reverse:
            columns = model_config.source_language, model_config.target_language
            model_config = replace(model_config, target_language=columns[0], source_language=columns[1])
        if model_config.kind not in kinds():
            raise CallError(f"unknown --kind {model_config.kind}; choose one of {', '.join(kinds())}")
        tests = {path: read_pairs(path, config.reverse) for path in test or ()}
        beginning = Path(project_path(start_from)) if start_from else None
        before = read_metrics(beginning).get("training") if beginning else None
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
        run = run_training(
            model_config, config, out, resume=resume, on_start=on_start, tokenizer=tokenizer, start_from=beginning
        )
        if run.accelerator.is_main_process:
            after_training(run, tests, ctx.obj, before)
    except KeyboardInterrupt:
        saved = f"step {int(started[0].log[-1]['step'])}" if started and started[0].log else "where it began"
        note(f"stopped; the same command with --resume goes on from {saved}")
        raise typer.Exit(130) from None
    except (ValueError, OSError, TrainingError) as error:
        # Before the first step it was the call; later it is the work that failed.
        again = "; once that is mended, the same command with --resume goes on from the last save"
        message = plain(error) + again * (bool(started) and isinstance(error, OSError))
        raise (typer.TyperException if started else CallError)(message) from error


@app.command()
def seal(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a checkpoint.")],
) -> None:
    """Write the checksums of a checkpoint's files into its config, after you changed one on purpose, or if it has none yet."""
    from seq2seq import checkpoint
    from seq2seq.translator import Translator

    folder = Path(project_path(str(folder)))
    with bad_input():
        before = checkpoint.content(folder / checkpoint.CONFIG_FILE)
        checkpoint.seal(folder)
        try:
            Translator.from_checkpoint(folder, "cpu")
        except checkpoint.CheckpointError:
            checkpoint.write_beside(folder / checkpoint.CONFIG_FILE, before)  # what cannot be used gets no seal
            raise
    note(f"sealed {folder}")


@app.command()
def distill(
    checkpoint: Annotated[
        list[Path],
        typer.Option(metavar="DIR", help="Folders of one checkpoint or several, which then translate as one."),
    ],
    data: Annotated[
        Path, typer.Option(metavar="FILE", help="Pairs whose sources are translated (.tsv, .csv, also .gz).")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the new pairs go (.tsv).")],
    beam: Beam = 5,
    reverse: Annotated[
        bool,
        typer.Option(
            "--reverse", help="Translate the second column back, and write that before it, in the file's own order."
        ),
    ] = False,
    device: Device = "auto",
) -> None:
    """Write down what models know, as pairs for `train --data`: each source with the translation, of those the beam found, that
    is most like the reference."""
    check_writable(out)
    if out.suffix != ".tsv":
        raise CallError(f"--out is {out}; give a name that ends in .tsv")
    if out.resolve() == data.resolve():
        raise CallError(f"{out} would replace what is to be translated; give another name")
    from seq2seq.data import read_pairs
    from seq2seq.ensemble import distilled, ensemble
    from seq2seq.translator import check_search

    with bad_input():
        check_search(beam)
        pairs = read_pairs(data, reverse)
        check_texts([pair.source for pair in pairs], f"{data}, pair")
        teacher = ensemble([Path(project_path(folder)) for folder in checkpoint], device)

    def written(file: TextIO) -> Iterator[str]:
        done = 0
        for made in distilled(teacher, pairs, beam):
            rows = (pair.turned() if reverse else pair for pair in made)
            file.writelines("\t".join((row.source, *row.references)) + "\n" for row in rows)
            done += len(made)
            yield f"{done:,} of {len(pairs):,} pairs"

    with whole_files(out) as [file]:
        assert file is not None, "a name was given"
        progress_notes(written(file))


@app.command()
def average(
    first: Annotated[Path, typer.Argument(metavar="BEFORE", help="The folder of a checkpoint.")],
    second: Annotated[Path, typer.Argument(metavar="AFTER", help="That of a run which began with its weights.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the checkpoint.")],
    share: Annotated[float, typer.Option(min=0, max=1, help="Share of the second in each weight.")] = 0.5,
) -> None:
    """Make one checkpoint of two, whose weights are the mean of theirs. It has no scores yet: `evaluate --save` makes them."""
    from seq2seq import checkpoint
    from seq2seq.ensemble import averaged
    from seq2seq.model import Seq2Seq
    from seq2seq.results import averaged_record, read_metrics, write_metrics

    with bad_input():
        if out.exists():
            raise CallError(f"{out} is there already; choose another --out")
        check_writable(out)
        folders = [Path(project_path(folder)) for folder in (first, second)]
        models = [Seq2Seq.from_pretrained(folder) for folder in folders]
        pieces = [checkpoint.read_sealed(folder / checkpoint.TOKENIZER_FILE) for folder in folders]
        if pieces[0] != pieces[1]:
            raise CallError(f"{second} has other pieces than {first}; average a run with what it began with")
        made = averaged(*models, share)
        record = averaged_record(read_metrics(folders[1]), str(first), str(second), share, str(out))
    made.save_pretrained(out)
    checkpoint.write_beside(out / checkpoint.TOKENIZER_FILE, pieces[1])
    write_metrics(out, record)
    note(f"wrote {out}")


@app.command()
def scenes(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the files.")],
    count: Annotated[int, typer.Option(min=1, help="Scenes to train on.")] = 30_000,
    held: Annotated[int, typer.Option(min=1, help="Scenes of each split to validate and test on.")] = 1000,
    seed: Annotated[int, typer.Option(help="Where random numbers start.")] = 1,
) -> None:
    """Write drawn scenes with captions, and descriptions with paintings, as files for `train` and `evaluate`."""
    from seq2seq.scene_data import write_scenes
    from seq2seq.scenes import SPLITS

    for path in write_scenes(out, {split: count if split == "train" else held for split in SPLITS}, seed):
        note(f"wrote {path}")


@app.command()
def align(
    data: Annotated[
        list[Path],
        typer.Option(metavar="FILE", help="Pairs to align (.tsv, .csv, also .gz). Several together align better."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the links, FILE's NAME.links.gz.")],
    tokenizer: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Whose words are linked, if not the default checkpoint's.")
    ] = None,
    gold: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A file for `evaluate --alignment` to align along; prints how well, as JSON."
        ),
    ] = None,
) -> None:
    """Link the words of training pairs that mean the same, for `train --links`. Needs eflomal: pip install eflomal."""
    from seq2seq import aligner
    from seq2seq.evaluation import alignment_scores, read_alignments
    from seq2seq.tokenizer import Tokenizer

    with bad_input():
        aligner.load_eflomal()
        paths = aligner.link_paths(data, out)
        examples = read_alignments(gold) if gold else []
        pieces = Tokenizer.load(tokenizer or Path(project_path(DEFAULT_CHECKPOINT), "tokenizer.json"))
        corpora = [aligner.read_words(path, pieces) for path in data]
        out.mkdir(parents=True, exist_ok=True)
    for path in paths:
        check_writable(path)
    # People aligned their own tokens, so these are what is scored.
    lowered = [([t.lower() for t in e.source_tokens], [t.lower() for t in e.target_tokens]) for e in examples]
    *links, found = aligner.align_together([*corpora, lowered])
    with bad_input():
        aligner.write_links(dict(zip(paths, links)))
    for path, made in zip(paths, links):
        note(f"wrote {path}: {len(made):,} pairs")
    if gold:
        scores = alignment_scores(found, [e.sure for e in examples], [e.possible for e in examples])
        print(json.dumps({name: round(value, 4) for name, value in scores.items()} | {"sentences": len(examples)}))


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
    source_language: Annotated[str, typer.Option(metavar="CODE", help="The language it reads.")] = "en",
    target_language: Annotated[str, typer.Option(metavar="CODE", help="The language it writes.")] = "fr",
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
            (source_language, target_language),
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
def serve(
    replicas: Annotated[int, typer.Option(metavar="N", help="Processes that search translations.")] = 2,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where the page listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="At which port.")] = 7860,
) -> None:
    """Start the page with its searches in replicas on Ray Serve, for many callers. Needs ray: see .github/HOSTING.md."""
    from seq2seq import scale

    page = Path(__file__).resolve().parent.parent / "app.py"
    if not page.is_file():
        raise CallError("there is no app.py beside the package; serve needs a copy of the repository")
    with bad_input():
        scale.start(replicas)
    note(f"replicas are ready: {replicas}")
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # as Ctrl-C; Ray's own handler ends with a dump and code 134
    os.environ |= {"GRADIO_SERVER_NAME": host, "GRADIO_SERVER_PORT": str(port)}
    runpy.run_path(str(page), run_name="__main__")


@app.command()
def bench(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    device: Device = "auto",
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="PART", help="One or several of floors, latency, throughput, growth, training and app."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="About a minute: fewer points, fewer runs.")] = False,
    plots: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write charts: HTML, and PNG where a browser is found.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Measure this machine: its floors, decoding and training beside the PyTorch tutorial's way, growth, the app.
    Takes minutes. --device auto measures the CPU, and a CUDA device too if there is one."""
    from seq2seq import bench as measured
    from seq2seq.translator import Translator, choose_device

    with bad_input():
        parts = measured.check_parts(only or ())
        where = choose_device(device).type
        devices = dict.fromkeys(("cpu", where) if device == "auto" and where == "cuda" else (where,))
        translators = [Translator.from_checkpoint(project_path(checkpoint), device) for device in devices]
        if plots:
            plots.mkdir(parents=True, exist_ok=True)
    effort = measured.QUICK if quick else measured.FULL
    result = measured.bench(translators, effort, parts, say=lambda part: note(f"measuring {part}"))
    print(json.dumps(result) if as_json else measured.table(result))
    if plots:
        from seq2seq.bench.plots import write_plots

        for line in write_plots(result, plots):
            note(line)

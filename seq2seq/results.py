"""What is known about a checkpoint: `metrics.json` and the model card that is made from it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq.card import RECORDS, model_card
from seq2seq.checkpoint import CARD_FILE, CONFIG_FILE, METRICS_FILE, read_config, read_sealed, unsealed, write_beside
from seq2seq.console import PROGRAM, note
from seq2seq.model import Seq2Seq

if TYPE_CHECKING:
    from seq2seq.data import Pair
    from seq2seq.training import Run


def data_name(path: str | Path, beam_size: int = 1) -> str:
    """data/multi30k.val.tsv.gz -> multi30k.val; a beam is named, so that it does not replace the greedy score."""
    name = Path(path).name.removesuffix(".gz").removesuffix(".tsv").removesuffix(".csv")
    name += ".data" * (name in RECORDS)
    return name if beam_size == 1 else f"{name}.beam{beam_size}"


def read_metrics(folder: Path) -> dict[str, Any]:
    """The checkpoint's metrics, empty if there are none. Raises ValueError if the file is not such an object, and
    CheckpointError, which is one, if it is not what was written."""
    path = folder / METRICS_FILE
    if not path.is_file():
        return {}
    raw = read_sealed(path)
    try:
        metrics = json.loads(raw.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}; mend or remove it") from error
    if not isinstance(metrics, dict):
        raise ValueError(f"{path} is not a JSON object; mend or remove it")
    return metrics


def write_metrics(folder: Path, metrics: dict[str, Any]) -> None:
    """Writes the metrics, and the model card that tells of them, and seals the checkpoint anew."""
    config = read_config(folder / CONFIG_FILE)
    with unsealed(folder):
        write_beside(folder / METRICS_FILE, json.dumps(metrics, indent=2, ensure_ascii=False) + "\n")
        write_beside(folder / CARD_FILE, model_card(folder.resolve().name, config, metrics))


def evaluate_command(checkpoint: str, given: Sequence[str], beam_size: int = 1) -> str:
    """What one types to compute a score again."""
    beam = ("--beam", str(beam_size)) if beam_size > 1 else ()
    return shlex.join([*PROGRAM.split(), "evaluate", "--checkpoint", checkpoint, *given, *beam])


def save_score(folder: Path, result: dict[str, Any], checkpoint: str, given: Sequence[str], beam_size: int) -> None:
    """Puts one result of `evaluate` into the metrics; `given` is its flag and file, such as --data FILE, and other flags."""
    command = evaluate_command(checkpoint, given, beam_size)
    name = data_name(given[1], beam_size)
    name += ".joined" * ("--joined" in given)
    name += ".faithfulness" * ("--faithfulness" in given) + ".truth" * ("--truth" in given)
    metrics = read_metrics(folder) | {name: {**result, "command": command}}
    write_metrics(folder, metrics)


def score_table(result: dict[str, Any]) -> str:
    """The object of `evaluate --json` for people."""
    parts = ("by_length", "by_objects", "short", "posterior")
    lines = [f"{name:20} {value}" for name, value in result.items() if name not in parts]
    if short := result.get("short"):
        lines.append(f"up to {short['to']} words: " + "  ".join(f"{k} {v}" for k, v in short.items() if k != "to"))
    if known := result.get("posterior"):
        lines += ["the word known:", *(f"  {line}" for line in score_table(known).splitlines())]
    for row in result.get("by_objects", ()):
        lines.append("  ".join(f"{name} {value}" for name, value in row.items()))
    for row in result.get("by_length", ()):
        words = f"{row['from']:>3} to {row['to']:>3} words"
        low, high = row["bleu_interval"]
        bleu = f"BLEU {row['bleu']:6.2f} ({low:.2f} to {high:.2f})"
        lines.append(f"{words}: {bleu}  chrF {row['chrf']:6.2f}  ({row['sentences']} sentences)")
    return "\n".join(lines)


def training_record(run: Run, command: str, before: dict[str, Any] | None = None) -> dict[str, Any]:
    """How the weights came about. `tokens_per_second` leaves validation out, `seconds` does not.

    before: this record of the weights with which the run began.
    """
    import torch

    progress, device = run.progress, run.accelerator.device
    busy, tokens = 0.0, 0
    for row in run.log:
        busy += (row["tokens"] - tokens) / row["tokens_per_second"]
        tokens = row["tokens"]
    return {
        "command": command,
        "data": [Path(path).name for path in run.config.data],
        "valid": [Path(path).name for path in run.config.valid],
        "seconds": round(progress.seconds, 1),
        "steps": int(progress.step),
        "tokens": int(progress.tokens),
        "tokens_per_second": round(tokens / busy, 1) if busy else None,
        "best_valid_bleu": round(progress.best_bleu, 2),
        "best_step": int(progress.best_step),
        "seed": run.config.seed,
        "parameters": run.plain_model.parameter_count(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "devices": run.accelerator.num_processes,
        "torch": torch.__version__,
        **({"reverse": True} if run.config.reverse else {}),
        **({"links": [Path(path).name for path in run.config.links]} if run.config.links else {}),
        **({"before": before} if before else {}),
    }


def averaged_record(after: dict[str, Any], first: str, second: str, share: float, out: str) -> dict[str, Any]:
    """The metrics of the mean of two checkpoints, `after` being the second's: how its weights came about, and no score."""
    command = shlex.join([*PROGRAM.split(), "average", first, second, "--share", str(share), "--out", out])
    return {"training": after["training"] | {"averaged": command}} if "training" in after else {}


def import_record(model: Seq2Seq, encoder: Path, decoder: Path, command: str) -> dict[str, Any]:
    """Where weights of the tutorial's modules came from: all that is known of them."""
    parameters = model.parameter_count()
    return {"command": command, "encoder": encoder.name, "decoder": decoder.name, "parameters": parameters}


def after_training(run: Run, tests: dict[str, list[Pair]], command: str, before: dict[str, Any] | None = None) -> None:
    """Scores the saved weights, writes metrics and card, prints the metrics. Arguments as of `training_record`."""
    from seq2seq.evaluation import evaluate
    from seq2seq.translator import Translator

    record = training_record(run, command, before)
    metrics = read_metrics(run.out)
    if metrics.get("training", {}).get("best_step") != record["best_step"]:
        metrics = {}  # they told of other weights
    metrics["training"] = record
    translator = Translator.from_checkpoint(run.out)
    for path, pairs in tests.items():
        note(f"scoring {path}")
        command = evaluate_command(str(run.out), ("--data", path) + ("--reverse",) * run.config.reverse)
        metrics[data_name(path)] = {**evaluate(translator, pairs), "command": command}
    write_metrics(run.out, metrics)
    print(json.dumps(metrics, indent=2, ensure_ascii=False))

"""The model card of a checkpoint: made from its config and metrics, so that it never says more than was measured."""

from __future__ import annotations

from typing import Any

from seq2seq.config import ModelConfig
from seq2seq.model import decoder_class, encoder_class

SOURCES = {
    "multi30k": (
        "[Multi30k](https://github.com/multi30k/dataset), task 1: descriptions of images, from Flickr30k captions. "
        "For **non-commercial research and education** only."
    ),
    "tatoeba": (
        "Sentence pairs from [Tatoeba](https://tatoeba.org), in the selection of "
        "[manythings.org/anki](https://www.manythings.org/anki/): everyday language. "
        "CC BY 2.0 FR; attribution: tatoeba.org and manythings.org/anki."
    ),
    "scenes": "Drawn scenes and their captions, made by `python -m seq2seq scenes`. They are drawings, not photographs.",
    "hansards": "Word alignments of Hansards sentences, from the HLT-NAACL 2003 shared task; only for scoring.",
}
"""What is to be said of a data file, by the beginning of its name."""
EXAMPLES = {
    "caption": "small red star 10 10, large blue square 53 32",
    "draw": "a large red circle in the middle",
    "reverse": "Un homme fait du vélo.",
    "import": "a sentence of yours",
    "": "A man rides a bike.",
}
KINDS = {
    "caption": "A model of Attention Lens that puts a drawn scene into words",
    "draw": "A model of Attention Lens that paints a described scene, 16 × 16 cells, one after the other",
    "reverse": "A French to English translator of Attention Lens",
    "import": "A translator of Attention Lens",
    "": "An English to French translator of Attention Lens",
}
"""What a card says a model is, by its task."""
MEASURES = {
    "exact": "all of it", "new": "new objects", "size": "size", "colour": "colour", "shape": "shape", "where": "where",
    "cells": "cells", "painted": "cells of objects", "whole": "whole objects", "pointing": "looked at the right thing",
}  # fmt: skip
"""What `evaluate --truth` measures."""
KNOWN = (
    "Links are of each word with the most attended one, and attention looks before the word is chosen. “The word known”: of a "
    "word that stands there, where it was read from (`seq2seq.explain.posterior`), if that is likelier than not."
)
MACHINE_MADE = (".forward.tsv", ".back.tsv")
"""How files end that `distill` wrote."""
RECIPE = "see `checkpoints/RECIPE.md`"
RECORDS = ("training", "import")
"""Metrics that tell how the weights came about; the others are scores."""


def model_card(name: str, config: ModelConfig, metrics: dict[str, Any]) -> str:
    """The card of checkpoint `name` as Markdown with the Hub's YAML front matter; no number that is not in `metrics`
    or `config`."""
    sets = {key: value for key, value in metrics.items() if key not in RECORDS}
    task = _task(config, metrics)
    encoder = "the EncoderRNN of the PyTorch tutorial" if config.classic else encoder_class(config.encoder).about
    parts = [
        _front_matter(config, metrics),
        f"# {name}\n\n{KINDS[task]}: {encoder} and "
        f"{decoder_class(config.kind).describe(config.kind)}. It is small enough to show at "
        f"work, word by word, on a laptop.\n\n```python\nfrom seq2seq import Translator\n\n"
        f'print(Translator.from_checkpoint("checkpoints/{name}").translate('
        f'"{EXAMPLES[task]}").translation)\n```',
        _sizes(config, metrics),
        _data(metrics),
        _training(config, metrics.get("training", {})),
        _import(metrics.get("import", {})),
        _scores(name, sets),
        _limits(config, metrics),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _task(config: ModelConfig, metrics: dict[str, Any]) -> str:
    """Which of KINDS it is."""
    if not config.translates:
        return "draw" if config.target_pieces else "caption"
    return "import" if "import" in metrics else "reverse" if metrics.get("training", {}).get("reverse") else ""


def _names(metrics: dict[str, Any]) -> list[str]:
    """Every data file that the metrics name. Of imported weights none is known: they were only scored on those."""
    if "import" in metrics:
        return []
    training = metrics.get("training", {})
    return [*training.get("data", []), *training.get("valid", []), *(key for key in metrics if key not in RECORDS)]


def _known_sources(metrics: dict[str, Any]) -> list[str]:
    return [source for source in SOURCES if any(name.startswith(source) for name in _names(metrics))]


def _front_matter(config: ModelConfig, metrics: dict[str, Any]) -> str:
    sources = [source for source in _known_sources(metrics) if source not in ("hansards", "scenes")]
    if not config.translates:
        languages = "- en\n- fr" if config.target_pieces else "- en"  # a painter's descriptions; captions are English
        return f"---\nlanguage:\n{languages}\nlicense: mit\nlibrary_name: seq2seq\ntags:\n- seq2seq\n- rnn\n- gru\n---"
    lines = [] if "import" in metrics else ["language:", "- en", "- fr"]
    if "multi30k" in sources:
        lines += ["license: other", "license_name: non-commercial-research-and-education"]
    lines += ["library_name: seq2seq", "pipeline_tag: translation", "tags:"]
    lines += ["- translation", "- seq2seq", "- rnn", "- gru"] + ["- attention"] * decoder_class(config.kind).looks_back
    if sources:
        lines += ["datasets:", *(f"- {source}" for source in sources)]
    return "---\n" + "\n".join(lines) + "\n---"


def _sizes(config: ModelConfig, metrics: dict[str, Any]) -> str:
    rows: list[tuple[str, Any]] = [("kind", f"`{config.kind}`")]
    if "import" in metrics:
        rows.append(("vocabulary of the source (whole words)", config.source_vocabulary))
        rows.append(("vocabulary of the target (whole words)", config.vocab_size))
    elif config.translates:
        rows.append(("vocabulary (joint BPE)", config.vocab_size))
    else:
        rows.append(("pieces of the target", config.vocab_size))
    rows += [("embedding", config.embedding_size), ("hidden", config.hidden_size)]
    if config.kind == "additive":
        rows.append(("attention", config.attention_size))
    if config.query_prev:
        rows.append(("attention is asked with", "the decoder's state and the piece written last"))
    if config.classic:
        rows.append(("places in the memory (longer sources are cut)", config.max_length))
    for record in RECORDS:
        if "parameters" in metrics.get(record, {}):
            rows.append(("parameters", f"{metrics[record]['parameters']:,}"))
    table = "\n".join(f"| {what} | {value} |" for what, value in rows)
    stored = "stored and computed" if "import" in metrics else "stored in float16 and computed"
    return f"## Sizes\n\n| | |\n|---|---|\n{table}\n\nWeights are {stored} in float32."


def _data(metrics: dict[str, Any]) -> str:
    known = _known_sources(metrics)
    if not known:
        return ""
    return "## Data and its terms\n\n" + "\n".join(f"- {SOURCES[source]}" for source in known)


def _training(config: ModelConfig, training: dict[str, Any]) -> str:
    if not training:
        return ""
    runs = [training]
    while "before" in runs[0]:
        runs.insert(0, runs[0]["before"])
    said = "The runs, each of which began with the weights of the one before:\n\n" * (len(runs) > 1)
    made = sorted({name for run in runs for name in run.get("data", ()) if name.endswith(MACHINE_MADE)})
    if made:
        said += f"Written by models, not by people ({RECIPE}): {', '.join(f'`{name}`' for name in made)}.\n\n"
    if config.translates and any("--links" in run.get("command", "") for run in runs):  # of scenes no aligner made them
        said += f"Attention was guided by the links of a word aligner, with the weight in the command ({RECIPE}).\n\n"
    mean = "What ships is the mean of those weights and of the ones that they began with:\n\n```bash\n{}\n```"
    told = [*map(_run, runs), *([mean.format(training["averaged"])] if "averaged" in training else [])]
    return f"## Training\n\n{said}" + "\n\n".join(told)


def _run(training: dict[str, Any]) -> str:
    return (
        f"```bash\n{training['command']}\n```\n\n"
        f"{training['steps']:,} updates on {training['tokens']:,} target pieces in {training['seconds']:,} seconds, "
        f"validation included ({training['device']}, torch {training['torch']}), seed {training['seed']}. The weights "
        f"are those of step {training['best_step']:,}, with the best validation BLEU: {training['best_valid_bleu']}."
    )


def _import(record: dict[str, Any]) -> str:
    if not record:
        return ""
    return (
        f"## Import\n\n```bash\n{record['command']}\n```\n\n"
        f"The weights were trained elsewhere, with the modules of the PyTorch tutorial, and come from `{record['encoder']}` "
        f"and `{record['decoder']}`. On what data, in which languages and under which terms is not known here. The source "
        "is split on spaces and each word looked up as it is spelled, so write it as the training data was written."
    )


def _scores(name: str, sets: dict[str, Any]) -> str:
    if not sets:
        return ""
    scored = {key: value for key, value in sets.items() if "bleu" in value}
    aligned = {key: value for key, value in sets.items() if "aer" in value}
    true = {key.removesuffix(".truth"): value for key, value in sets.items() if "by_objects" in value}
    judged = {
        key.removesuffix(".faithfulness"): value for key, value in sets.items() if value.get("matters") is not None
    }
    parts = ["## Scores"]
    if scored:
        rows = [
            f"| {key} | {value['sentences']:,} | {_sure(value, 'bleu')} | {value['bleu_lower_tok']} | {_sure(value, 'chrf')} |"
            for key, value in scored.items()
        ]
        parts.append(
            "| data | sentences | BLEU | BLEU, lower-cased and tokenised | chrF |\n|---|---|---|---|---|\n"
            + "\n".join(rows)
        )
        parts.append(
            "BLEU is cased, detokenised sacreBLEU, with its 95 % bootstrap interval; the second is on lower-cased text "
            "tokenised by sacremoses, as papers on Multi30k report it. All references count. Greedy search, or the beam "
            "that is named; “joined”: texts of 25 to 40 words, neighbouring sentences one after the other."
        )
        lengths = [
            f"| {key} | {row['from']} to {row['to']} | {row['sentences']:,} | {_sure(row, 'bleu')} | {_sure(row, 'chrf')} |"
            for key, value in scored.items()
            if ".beam" not in key
            for row in value.get("by_length", ())
        ]
        if lengths:
            head = "| data | source words | sentences | BLEU | chrF |\n|---|---|---|---|---|\n"
            parts.append(head + "\n".join(lengths))
    if aligned:
        aligned |= {f"{k}, the word known": v["posterior"] for k, v in aligned.items() if "posterior" in v}
        short = {f"{k}, up to {v['short']['to']} words": v["short"] for k, v in aligned.items() if "short" in v}
        rows = [
            f"| {k} | {v['sentences']:,} | {v['aer']} | {v['precision']} | {v['recall']} |"
            for k, v in (aligned | short).items()
        ]
        parts.append("| alignment | sentences | AER | precision | recall |\n|---|---|---|---|---|\n" + "\n".join(rows))
        if any("posterior" in value for value in aligned.values()):
            parts.append(KNOWN)
    if judged:
        rows = [
            f"| {k} | {v['words']:,} | {100 * v['matters']:.1f} % | {v['masked']} | {v['others']} |"
            for k, v in judged.items()
        ]
        parts.append(
            "| does the highlight matter? | words | it does | masked, nats | another word masked, nats |\n"
            "|---|---|---|---|---|\n" + "\n".join(rows)
        )
    for key, value in true.items():
        names = [measure for measure in value if measure in MEASURES]
        lines = [
            f"| {row['objects']} | {row['scenes']:,} | " + " | ".join(f"{100 * row[m]:.1f}" for m in names) + " |"
            for row in (*value["by_objects"], value | {"objects": "all"})
        ]
        parts.append(
            f"{key}, shares in percent:\n\n| objects | scenes | {' | '.join(MEASURES[m] for m in names)} |\n"
            f"|---|---|{'---|' * len(names)}\n" + "\n".join(lines)
        )
    commands = [value["command"] for value in sets.values() if "command" in value]
    if commands:
        parts.append("Computed by\n\n```bash\n" + "\n".join(commands) + "\n```")
    return "\n\n".join(parts)


def _sure(scores: dict[str, Any], name: str) -> str:
    """A score with its interval, if that was computed."""
    low, high = scores.get(f"{name}_interval", (None, None))
    return f"{scores[name]}" if low is None else f"{scores[name]} ({low} to {high})"


def _limits(config: ModelConfig, metrics: dict[str, Any]) -> str:
    if not config.translates:
        lines = [
            "It knows drawn scenes of one to five circles, squares, triangles and stars on white, and nothing else: not "
            "photographs, not other words. Whatever it is given, it answers with such things.",
        ]
        if "links" in metrics.get("training", {}):
            lines.append(
                "Its attention was trained towards what is known of the scenes, with the weight in the command above: where "
                "it looks is what it was taught, and no finding."
            )
        return "## Limits\n\n" + "\n".join(f"- {line}" for line in lines)
    lines = [
        "It translates single sentences like those it was trained on. On other text (news, long or technical "
        "sentences, names, other languages) it makes things up, fluently: do not use it where a wrong "
        "translation does harm.",
    ]
    if "import" in metrics:
        lines.append("It repeats the habits of its data.")
    else:
        lines += [
            "It fails at greetings, at many numbers and at most names it has not seen; a long sentence may be told twice "
            "over.",
            "Its data are captions of photographs, in which people guessed at the sex, age and work of those they saw, and "
            "short sentences for learners of a language, in which Tom does most of what is done. It repeats their "
            "stereotypes: where English leaves open who is meant, it chooses.",
        ]
    if not decoder_class(config.kind).looks_back:
        lines.append("It must remember the whole sentence in one vector, and forgets more the longer the sentence is.")
    else:
        lines.append("Attention weights show which vectors were read; they are no proof of why a word was chosen.")
    if "multi30k" in _known_sources(metrics):
        lines.append("Because of its training data it is for non-commercial research and education.")
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in lines)

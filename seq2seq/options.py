"""The flags of `train`, made from the config dataclasses: a new setting there is a flag here once it has its help."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, fields
from typing import Annotated, Any, get_type_hints

import typer

from seq2seq.config import ModelConfig, TrainConfig

HELP = {
    "kind": "Which decoder: plain, additive, multiplicative, classic-plain or classic-attention.",
    "vocab_size": "Pieces the tokenizer learns.",
    "embedding_size": "Numbers in the vector of a piece.",
    "hidden_size": "Numbers in the decoder's state; each direction of the encoder has half.",
    "attention_size": "Width of the layer in which query and key are compared.",
    "dropout": "Share of single numbers set to zero in training.",
    "word_dropout": "Share of whole words whose embedding is set to zero in training.",
    "query_prev": "Ask attention with the piece written last too, not with the decoder's state alone.",
    "encoder": "Who reads the source: words, or picture.",
    "target_pieces": "Most pieces of a target; 0 for as many as a translation of its source may need.",
    "max_length": "Source pieces that the classic kinds have room for; the rest of a sentence is cut.",
    "source_language": "Language of the first column of the files, as a code.",
    "target_language": "Language of their second column.",
    "data": "Training pairs: source, tab, reference (.tsv, .csv, or either with .gz). May be given several times.",
    "valid": "Validation pairs, with one or more references. May be given several times.",
    "repeat": "How often a data file is seen in one epoch: one number for each --data, in their order.",
    "seed": "Where random numbers start.",
    "batch_tokens": "Target pieces in one batch, over all devices.",
    "max_steps": "Updates after which the run ends.",
    "max_pieces": "Pairs with more pieces than this on a side are left out.",
    "learning_rate": "At its peak, after the warm-up.",
    "warmup_steps": "Updates over which the learning rate rises.",
    "label_smoothing": "Share of the target's probability that is spread over all pieces.",
    "clip_norm": "Longer gradients are shortened to this length.",
    "average_decay": "How slowly the moving average of the weights follows them; the average is what is saved.",
    "validate_every": "Updates between two validations; each writes what --resume needs.",
    "validation_sentences": "At most so many sentences of each validation file, from its start.",
    "patience": "Validations without a better BLEU after which the run stops.",
    "mixed_precision": "no, or bf16: matrix products in bfloat16.",
    "schedule": "What the learning rate does after the warm-up: inverse-root, or cosine down to 0 at --max-steps.",
    "links": "Word links of a data file, made by `align`, to train attention towards: one for each --data, in their order.",
    "guide_weight": "How much the links count beside the translation.",
    "reverse": "Train the other direction: from the second column of the files to the first.",
    "rename": "Share of the pairs with a name or number on both sides to which a copy with another one is added.",
    "casual": "Share of the pairs to which a copy is added with its source as typed in a hurry.",
    "excerpt": "Share of the pairs of which a few words are tried as a pair of their own, by --links.",
    "join": "Share of training texts that are several pairs one after the other, so that long texts are seen too.",
}
LISTS = ("data", "valid", "repeat", "test", "links", "only")
"""Flags that take several values: `--data A B` is the same as `--data A --data B`."""


def flag(name: str) -> str:
    """batch_tokens -> --batch-tokens"""
    return "--" + name.replace("_", "-")


def expand_lists(arguments: Sequence[str]) -> list[str]:
    """Repeats the flag before each further value, because the parser takes one value a flag."""
    expanded: list[str] = []
    current = None
    for i, argument in enumerate(arguments):
        if argument.startswith("-"):
            current = argument if argument in map(flag, LISTS) else None
        elif current and arguments[i - 1] != current:
            expanded.append(current)
        expanded.append(argument)
    return expanded


def _parameter(field: Field, hint: Any) -> inspect.Parameter:
    """One dataclass field as a keyword of the command's function, as typer reads it."""
    several = getattr(hint, "__origin__", None) is tuple
    kind = list[hint.__args__[0]] if several else hint
    metavar = "FILE" if field.name in ("data", "valid", "links") else None
    option = typer.Option(flag(field.name), help=HELP[field.name], show_default=not several, metavar=metavar)
    default = inspect.Parameter.empty if field.default is MISSING else list(field.default) if several else field.default
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, option],  # ty: ignore[invalid-type-form]
    )


def with_settings(command: Callable) -> Callable:
    """Puts every field of both configs in the place of the function's `**settings`."""
    own = inspect.signature(command, eval_str=True).parameters.values()
    kept = [p.replace(kind=p.KEYWORD_ONLY) for p in own if p.kind is not p.VAR_KEYWORD]
    made = []
    for config in (TrainConfig, ModelConfig):
        hints = get_type_hints(config)
        made += [_parameter(field, hints[field.name]) for field in fields(config) if field.name in HELP]
    command.__signature__ = inspect.Signature([*kept, *made])  # ty: ignore[missing-attribute]
    command.__annotations__ = {p.name: p.annotation for p in (*kept, *made)}
    return command


def configs(settings: dict[str, Any]) -> tuple[ModelConfig, TrainConfig]:
    """The flags' values as configs. Raises ValueError for a value that makes no sense."""

    def of(config: type[ModelConfig] | type[TrainConfig]) -> Any:
        values: dict[str, Any] = {field.name: settings[field.name] for field in fields(config) if field.name in HELP}
        values |= {name: tuple(v) for name, v in values.items() if isinstance(v, list)}
        return config(**values)

    return of(ModelConfig), of(TrainConfig)

"""The training loop: one device or many, and it can be killed at any moment and go on where it stopped."""

from __future__ import annotations

import contextlib
import json
import math
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import Tensor
from tqdm import tqdm

from seq2seq import augment
from seq2seq.checkpoint import (
    CONFIG_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    CheckpointError,
    read_sealed,
    write_beside,
)
from seq2seq.config import EOS, PAD, ModelConfig, TrainConfig
from seq2seq.data import Corpus, DataError, Item, Links, Pair, read_links, read_pairs
from seq2seq.evaluation import validation_bleu
from seq2seq.model import Seq2Seq
from seq2seq.sources import Reader, load_tokenizers, save_tokenizers
from seq2seq.tokenizer import SPECIALS, Pieces, Tokenizer
from seq2seq.training_state import (
    Progress,
    TrainingError,
    begin_run,
    has_run,
    has_state,
    load_state,
    save_state,
)
from seq2seq.translator import TextError, Translator, clean

DIVERGED_FACTOR, DIVERGED_STEPS = 3.0, 50
"""A run has diverged when its loss was this many times the best so far, for this many updates in a row."""


def learning_rate(step: int, config: TrainConfig) -> float:
    """Rises in a straight line to its peak at `warmup_steps`, then falls: with 1 / sqrt(step), or as a cosine to 0."""
    warmup = max(1, config.warmup_steps)
    if step < warmup:
        return config.learning_rate * step / warmup
    if config.schedule == "inverse-root":
        return config.learning_rate * math.sqrt(warmup / step)
    done = min(1.0, (step - warmup) / max(1, config.max_steps - warmup))
    return config.learning_rate * (1 + math.cos(math.pi * done)) / 2


def piece_loss(logits: Tensor, target: Tensor, label_smoothing: float) -> Tensor:
    """logits (N, V), target (N,) -> cross-entropy summed over what is not `<pad>`, as F.cross_entropy has it.

    Written out because label smoothing there keeps several matrices of N x V for the way back; this keeps one.
    """
    kept = target != PAD
    logits, target = logits[kept].float(), target[kept]
    said = logits.gather(1, target.unsqueeze(1)).squeeze(1)
    smoothed = (1 - label_smoothing) * said + label_smoothing * logits.mean(dim=1)
    return (logits.logsumexp(dim=1) - smoothed).sum()


def guide_loss(weights: Tensor, guide: Tensor) -> Tensor:
    """weights (B, T, S'), guide (B, T, S) -> cross-entropy of the weights, summed over the pieces of which links are known.

    S' is not S where a decoder has a fixed number of places; links beyond them are left out.
    """
    shared = min(weights.size(2), guide.size(2))
    return -(guide[:, :, :shared] * weights[:, :, :shared].float().clamp_min(1e-6).log()).sum()


def read_corpus(config: TrainConfig) -> list[list[Pair]]:
    """The pairs of each data file; also checks that `repeat` fits them."""
    if not config.data:
        raise DataError("no file to train on; give at least one with --data")
    for what, given in (("repeat counts", config.repeat), ("link files", config.links)):
        if given and len(given) != len(config.data):
            raise DataError(f"{len(given)} {what} for {len(config.data)} data files; give one for each file")
    return [read_pairs(path, config.reverse) for path in config.data]


def read_valid(config: TrainConfig) -> list[list[Pair]]:
    """The pairs of each validation file, of which every one that will be translated can be."""
    if not config.valid:
        raise DataError("no file to validate on; give at least one with --valid")
    files = [read_pairs(path, config.reverse)[: config.validation_sentences] for path in config.valid]
    for path, file in zip(config.valid, files):
        for number, pair in enumerate(file, 1):
            try:
                clean(pair.source)
            except TextError as error:
                raise DataError(f"{path}, pair {number}: {error}") from None
    return files


def encode_corpus(files: list[list[Pair]], config: TrainConfig, reader: Reader, tokenizer: Tokenizer) -> Corpus:
    """Pairs as ids. Pairs with over `max_pieces` pieces on a side are left out: they cost memory and teach little."""
    pairs, repeat, links = [], [], []
    for i, file in enumerate(files):
        times = config.repeat[i] if config.repeat else 1
        words = read_links(config.links[i], config.reverse) if config.links else [None] * len(file)
        if len(words) != len(file):
            raise DataError(f"{config.links[i]} has {len(words)} lines, but {config.data[i]} {len(file)} pairs")
        counted = [(number, pair, times) for number, pair in enumerate(file)]
        counted += varied(file, times, config)
        sources = reader.encode_batch([pair.source for _, pair, _ in counted])
        targets = tokenizer.encode_batch([pair.references[0] for _, pair, _ in counted])
        for place, ((number, _, times), source, target) in enumerate(zip(counted, sources, targets)):
            if max(len(source.ids), len(target.ids)) > config.max_pieces:
                continue
            linked = words[number]
            if linked is not None:
                if place >= len(file):
                    linked = still_there(linked, sources[number], source, targets[number], target)
                try:
                    links.append(piece_links(source, target, linked))
                except IndexError:
                    where = f"{config.links[i]}, line {number + 1}"
                    raise DataError(f"{where}: a link to a word that is not there") from None
            pairs.append((source.ids, target.ids))
            repeat.append(times)
        if config.excerpt:
            for source, target, linked in excerpts(file, times, sources, targets, words, config, reader, tokenizer):
                pairs.append((source.ids, target.ids))
                repeat.append(1)
                links.append(piece_links(source, target, linked))
    if not any(repeat):
        raise DataError(
            f"no pair with at most {config.max_pieces} pieces a side is left to train on; raise --max-pieces"
        )
    return Corpus(tuple(pairs), tuple(repeat), tuple(links))


def varied(file: Sequence[Pair], times: int, config: TrainConfig) -> list[tuple[int, Pair, int]]:
    """Copies to be added to a file that is seen `times` an epoch, each time others: of which pair, the copy, and 1."""
    draw = random.Random(f"{config.seed} varied")
    copies = []
    for number, pair in enumerate(file):
        for _ in range(times):
            if draw.random() < config.rename and (copy := augment.renamed(pair, draw)):
                copies.append((number, copy, 1))
            if draw.random() < config.casual:
                copies.append((number, augment.casual(pair, draw), 1))
    return copies


def excerpts(
    file: Sequence[Pair],
    times: int,
    sources: Sequence[Pieces],
    targets: Sequence[Pieces],
    links: Sequence[Links | None],
    config: TrainConfig,
    reader: Reader,
    tokenizer: Tokenizer,
) -> Iterator[tuple[Pieces, Pieces, Links]]:
    """Excerpts to be added to a file that is seen `times` an epoch, each time others."""
    draw = random.Random(f"{config.seed} excerpts")
    found = []
    for pair, source, target, linked in zip(file, sources, targets, links):
        if linked is None:
            continue
        words = [one.words[:-1] if one.words[-1:] == (SPECIALS[EOS],) else one.words for one in (source, target)]
        for _ in range(times):
            if draw.random() < config.excerpt and (one := augment.excerpt(pair, *words, linked, draw)):
                found.append(one)
    read = reader.encode_batch([pair.source for pair, _ in found])
    written = tokenizer.encode_batch([pair.references[0] for pair, _ in found])
    for source, target, (_, linked) in zip(read, written, found):
        # A word may be cut another way where it stands alone; then its links would be to others.
        if all(max(ends) < len(one.words) - 1 for one, ends in zip((source, target), zip(*linked))):
            yield source, target, linked


def still_there(links: Links, source: Pieces, new_source: Pieces, target: Pieces, new_target: Pieces) -> Links:
    """The links of a pair that hold for a copy of it: those to words before the first that is missing."""
    whole = len(target.words) == len(new_target.words)
    fewer = len(source.words) >= len(new_source.words)
    return frozenset((i, j) for i, j in links if i < len(new_source.words) - 1) if whole and fewer else frozenset()


def piece_links(source: Pieces, target: Pieces, links: Links) -> np.ndarray:
    """Links between words -> (N, 2) indexes of the pieces of either, target first; `<eos>` to `<eos>` comes last, if
    both have one.

    Raises IndexError for a word that is not there.
    """
    ends = [one.words[-1:] == (SPECIALS[EOS],) for one in (source, target)]  # which is no word that an aligner sees
    places = [[[] for _ in one.words[: len(one.words) - end]] for one, end in zip((source, target), ends)]
    for one, end, of in zip((source, target), ends, places):
        for piece, word in enumerate(one.word_of[: len(one.word_of) - end]):
            of[word].append(piece)
    found = [(t, s) for i, j in sorted(links) for t in places[1][j] for s in places[0][i]]
    last = [(len(target.ids) - 1, len(source.ids) - 1)] * all(ends)
    return np.array([*found, *last], dtype=np.int16).reshape(-1, 2)


class Run:
    """One training run in one process: model, optimizer, moving average, and the folder they are written to."""

    def __init__(
        self, model: Seq2Seq, reader: Reader, tokenizer: Tokenizer, corpus: Corpus, config: TrainConfig, out: Path
    ) -> None:
        self.accelerator = Accelerator(mixed_precision=config.mixed_precision)
        self.config, self.corpus, self.out = config, corpus, out
        self.reader, self.tokenizer = reader, tokenizer
        optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate, betas=(0.9, 0.98))
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)
        self.average = {name: p.detach().clone() for name, p in self.plain_model.named_parameters()}
        self.progress = Progress()
        self.log: list[dict[str, float]] = []
        self.parts = 1  # in which a batch is computed, one after the other; more where memory is small

    @property
    def plain_model(self) -> Seq2Seq:
        return self.accelerator.unwrap_model(self.model)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """All that has to be the same when the run is resumed."""
        return asdict(self.config) | asdict(self.plain_model.config) | {"corpus": self.corpus.checksum()}

    # -- one update -------------------------------------------------------------------------------------------------

    def update(self, items: list[Item]) -> tuple[float, int]:
        """One optimizer step on one batch, shared out over the devices -> mean loss of a target piece, and their number.

        Random numbers are drawn anew from (seed, step, device), so that a resumed run draws the same.
        """
        config, progress, accelerator = self.config, self.progress, self.accelerator
        progress.step += 1
        total = self.corpus.target_pieces(items)
        mine = items[accelerator.process_index :: accelerator.num_processes]
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(progress.step, config)
        while (summed := self._gradients(mine, items[:1], total)) is None:
            self._halve(len(mine))
        loss = accelerator.reduce(summed, "sum").item() / total
        norm = accelerator.clip_grad_norm_(self.model.parameters(), config.clip_norm)
        if not (math.isfinite(loss) and math.isfinite(float(norm))):
            raise TrainingError(self._stopped(f"the loss became {loss} and its gradient {float(norm)}"))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._watch(loss)
        # The average starts short, so that the random start is soon forgotten.
        decay = min(config.average_decay, (1 + progress.step) / (10 + progress.step))
        parameters = [p.detach() for _, p in self.plain_model.named_parameters()]
        torch._foreach_lerp_(list(self.average.values()), parameters, 1 - decay)
        progress.tokens += total
        return loss, total

    def _gradients(self, mine: list[Item], stand_in: list[Item], total: int) -> Tensor | None:
        """Sums up the gradients of this device's share, in `parts` -> the summed loss of its pieces; None if the memory of the
        device is too small."""
        config, accelerator = self.config, self.accelerator
        torch.manual_seed(config.seed * 1_000_003 + self.progress.step * 101 + accelerator.process_index)
        summed = torch.zeros((), device=accelerator.device)
        try:
            for part in range(min(self.parts, max(1, len(mine)))):
                # A device that got nothing must still take part: it computes on one item that counts for nothing.
                batch = self.corpus.batch(mine[part :: self.parts] or stand_in).to(accelerator.device)
                logits, weights = self.model(batch.src, batch.src_lengths, batch.tgt[:, :-1])
                pieces = logits.flatten(0, 1), batch.tgt[:, 1:].flatten()
                wanted = said = piece_loss(*pieces, config.label_smoothing) * bool(mine)
                if batch.guide is not None and weights is not None:
                    wanted = said + config.guide_weight * guide_loss(weights, batch.guide) * bool(mine)
                # Gradients are averaged over devices; the loss is per target piece of the whole batch.
                accelerator.backward(wanted * accelerator.num_processes / total)
                summed += said.detach()
        except torch.OutOfMemoryError:
            self.optimizer.zero_grad(set_to_none=True)
            return None
        return summed

    def _halve(self, sentences: int) -> None:
        """From now on the share of a device is computed in twice as many parts, whose gradients are summed up.

        Raises TrainingError if that cannot help: for one sentence, and for several devices, where the others wait.
        """
        if self.accelerator.num_processes > 1 or self.parts >= sentences:
            full = f"the memory of {self.accelerator.device} is too small"
            help = "Try a smaller --batch-tokens or --max-pieces, or train on the CPU, with ACCELERATE_USE_CPU=1"
            raise TrainingError(self._stopped(full, help))
        self.parts = min(2 * self.parts, sentences)
        tqdm.write(
            f"step {self.progress.step}: the memory of {self.accelerator.device} is too small for a whole batch, so each is "
            f"computed in {self.parts} parts from now on; that takes longer, and draws other random numbers for dropout",
            file=sys.stderr,
        )

    def _watch(self, loss: float) -> None:
        progress = self.progress
        progress.best_loss = min(progress.best_loss, loss)
        progress.bad_steps = progress.bad_steps + 1 if loss > DIVERGED_FACTOR * progress.best_loss + 1 else 0
        if progress.bad_steps >= DIVERGED_STEPS:
            raise TrainingError(
                self._stopped(f"the loss diverged to {loss:.2f} (its best was {progress.best_loss:.2f})")
            )

    def _stopped(self, what: str, help: str = "Try a lower --learning-rate or a smaller --clip-norm") -> str:
        kept = (
            f"the last good weights stand in {self.out}"
            if (self.out / WEIGHTS_FILE).exists()
            else "no weights were written"
        )
        return f"stopped at step {self.progress.step}: {what}; {kept}. {help}"

    # -- files ------------------------------------------------------------------------------------------------------

    def save_state(self) -> None:
        if self.accelerator.is_main_process:
            save_state(self.out, self.plain_model, self.average, self.optimizer, self.progress, self.settings, self.log)

    def load_state(self) -> None:
        self.progress, self.log = load_state(self.out, self.plain_model, self.average, self.optimizer, self.settings)

    def save_model(self) -> None:
        if self.accelerator.is_main_process:
            try:
                with self.averaged() as model:
                    model.save_pretrained(self.out)
            except CheckpointError as error:  # a loss may stay finite while weights grow beyond float16
                raise TrainingError(self._stopped("the weights became too large to be saved")) from error

    @contextlib.contextmanager
    def averaged(self) -> Iterator[Seq2Seq]:
        """The model with the averaged weights in it, in evaluation mode; the trained ones come back afterwards."""
        model = self.plain_model
        parameters = dict(model.named_parameters())
        trained = {name: p.detach().clone() for name, p in parameters.items()}
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(self.average[name])
        try:
            yield model.eval()
        finally:
            with torch.no_grad():
                for name, parameter in parameters.items():
                    parameter.copy_(trained[name])
            model.train()

    # -- the loop ---------------------------------------------------------------------------------------------------

    def train(self, valid: list[list[Pair]]) -> None:
        """Runs until `max_steps`, or until validation BLEU has not risen `patience` times in a row."""
        config, progress = self.config, self.progress
        self.model.train()
        # Closed also by an error, so that its message begins on a line of its own.
        hidden = not self.accelerator.is_main_process
        with tqdm(total=config.max_steps, initial=progress.step, unit="step", disable=hidden) as bar:
            self._loop(valid, bar)

    def _loop(self, valid: list[list[Pair]], bar: tqdm) -> None:
        config, progress = self.config, self.progress
        recent_loss, recent_tokens, since = 0.0, 0, time.perf_counter()
        began = since - progress.seconds
        bleu = self.log[-1]["valid_bleu"] if self.log else 0.0
        while not self.done:
            batches = self.corpus.batches(config.batch_tokens, config.seed, progress.epoch, config.join)
            for items in batches[progress.position :]:
                loss, tokens = self.update(items)
                progress.position += 1
                recent_loss += loss * tokens
                recent_tokens += tokens
                bar.update()
                if progress.step % 10 == 0:
                    rate = recent_tokens / (time.perf_counter() - since)
                    bar.set_postfix_str(
                        f"loss {recent_loss / recent_tokens:.3f}, BLEU {bleu:.1f}, {rate:,.0f} tokens/s"
                    )
                if progress.step % config.validate_every == 0 or progress.step == config.max_steps:
                    rate = recent_tokens / (time.perf_counter() - since)
                    bleu = self._validate(valid, recent_loss / recent_tokens, rate, began)
                    recent_loss, recent_tokens, since = 0.0, 0, time.perf_counter()
                if self.done:
                    break
            else:
                progress.epoch, progress.position = progress.epoch + 1, 0

    @property
    def done(self) -> bool:
        progress, config = self.progress, self.config
        return progress.step >= config.max_steps or (
            progress.step - progress.best_step >= config.patience * config.validate_every
        )

    def _validate(self, valid: list[list[Pair]], loss: float, rate: float, began: float) -> float:
        """Validation BLEU of the averaged weights; a better one is written to the checkpoint, every one to the log."""
        progress, config = self.progress, self.config
        with self.averaged() as model:
            translator = Translator(model, self.reader, target_tokenizer=self.tokenizer)
            # The main process alone: others might round a tie another way, and stop at another step than it.
            bleus = [validation_bleu(translator, file) for file in valid] if self.accelerator.is_main_process else None
        [bleus] = broadcast_object_list([bleus])
        bleu = sum(bleus) / len(bleus)
        progress.seconds = time.perf_counter() - began
        if bleu > progress.best_bleu:
            progress.best_bleu, progress.best_step = bleu, progress.step
            self.save_model()
        self.log.append(
            {
                "step": progress.step,
                "epoch": progress.epoch,
                "tokens": progress.tokens,
                "seconds": round(progress.seconds, 1),
                "tokens_per_second": round(rate, 1),
                "learning_rate": learning_rate(progress.step, config),
                "loss": round(loss, 4),
                "valid_bleu": round(bleu, 2),
                **{f"valid_bleu_{i}": round(value, 2) for i, value in enumerate(bleus, 1)},
            }
        )
        self.save_state()
        return bleu


def train(
    model_config: ModelConfig,
    config: TrainConfig,
    out: Path,
    *,
    resume: bool = False,
    tokenizer: Path | None = None,
    start_from: Path | None = None,
    on_start: Callable[[Run], None] = lambda run: None,
) -> Run:
    """Trains a model and leaves a checkpoint folder at `out`.

    tokenizer: a `tokenizer.json` to use instead of learning one from the data; so two models share their pieces.
    start_from: a checkpoint with whose weights and tokenizer the run begins, instead of with random ones. Its sizes must be
        those of `model_config`. A resumed run has them already.
    Everything is read and checked before anything is written. Raises DataError, TrainingError, CheckpointError and, for what
    cannot be written, OSError; then all that was saved before is whole, and `resume` goes on from it.
    """
    if (out / WEIGHTS_FILE).exists() and not (resume and has_run(out)):
        help = "choose another --out" if resume else "resume it with --resume or choose another --out"
        raise TrainingError(f"{out} already holds a checkpoint{', and no run to resume' * resume}; {help}")
    if start_from and tokenizer:
        raise TrainingError(f"{start_from} brings its own tokenizer; leave --tokenizer or --start-from out")
    files, valid = read_corpus(config), read_valid(config)
    resume = resume and has_state(out)
    begun = None
    if resume:
        tokenizer = out / TOKENIZER_FILE
    elif start_from:
        begun, tokenizer = Seq2Seq.from_pretrained(start_from), start_from / TOKENIZER_FILE
    if tokenizer and (resume or start_from):
        read_sealed(tokenizer)
    if tokenizer:
        reader, pieces = load_tokenizers(tokenizer)
    else:
        texts = (text for file in files for pair in file for text in (pair.source, pair.references[0]))
        reader = pieces = Tokenizer.train(texts, model_config.vocab_size)
    corpus = encode_corpus(files, config, reader, pieces)
    torch.manual_seed(config.seed)
    own = 0 if reader is pieces else len(reader)
    model_config = replace(model_config, vocab_size=len(pieces), source_vocab_size=own)
    if begun:
        # The weights of one direction are a better beginning for the other than none: the pieces are the same.
        names = ("dropout", "word_dropout", "source_language", "target_language")
        free = {name: getattr(model_config, name) for name in names}
        if not begun.config.query_prev:  # what it adds begins at zero, so that the model is still the same
            free["query_prev"] = model_config.query_prev
        if replace(begun.config, **free) != model_config:
            raise TrainingError(f"{start_from} has other sizes than asked for: {begun.config}")
    model = Seq2Seq(model_config)
    if begun:
        model.load_state_dict(model.state_dict() | begun.state_dict())
    run = Run(model, reader, pieces, corpus, config, out)
    if resume:
        run.load_state()
    elif run.accelerator.is_main_process:
        begin_run(out)
        write_beside(out / CONFIG_FILE, json.dumps(asdict(run.plain_model.config), indent=2) + "\n")
        write_beside(out / TOKENIZER_FILE, save_tokenizers(reader, pieces))
    on_start(run)
    run.train(valid)
    return run

"""The whole model, and how it is written to a folder or the Hub and read back."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from huggingface_hub import HfApi, ModelHubMixin, hf_hub_download
from huggingface_hub import errors as hub_errors
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from seq2seq.attention import ATTENTIONS
from seq2seq.checkpoint import (
    CARD_FILE,
    CONFIG_FILE,
    METRICS_FILE,
    TOKENIZER_FILE,
    UPGRADE,
    WEIGHTS_FILE,
    CheckpointError,
    read_config,
    read_sealed,
    unsealed,
    write_beside,
)
from seq2seq.classic import CLASSIC, ClassicEncoder
from seq2seq.config import ModelConfig
from seq2seq.decoder import AttentionDecoder, Decoder, PlainDecoder
from seq2seq.encoder import ENCODERS, Embedding, Encoder, PictureEncoder

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""What weights may be stored in; they are computed in float32."""
BESIDE = (TOKENIZER_FILE, METRICS_FILE, CARD_FILE)
"""What a checkpoint folder has beside the model itself, of which a model knows nothing."""

HUB_REASONS = (  # the first that fits
    (hub_errors.GatedRepoError, "access to it has to be asked for on its page, and HF_TOKEN set"),
    (hub_errors.RepositoryNotFoundError, "there is no such repository, or it is private and HF_TOKEN not set"),
    (hub_errors.RevisionNotFoundError, "there is no such revision"),
    (hub_errors.RemoteEntryNotFoundError, "there is no such file"),
    (hub_errors.OfflineModeIsEnabled, "HF_HUB_OFFLINE is set, and it was not fetched before"),
)


def kinds() -> tuple[str, ...]:
    """Every kind of decoder there is. Asked anew each time: a mechanism may be added to `ATTENTIONS` while we run."""
    return ("plain", *ATTENTIONS, *CLASSIC)


def decoder_class(kind: str) -> type[Decoder]:
    """The class that decodes for a kind. Raises ValueError for one that does not exist."""
    if kind not in kinds():
        raise ValueError(f"unknown kind {kind!r}; choose one of {', '.join(kinds())}")
    return CLASSIC.get(kind) or (AttentionDecoder if kind in ATTENTIONS else PlainDecoder)


def encoder_class(name: str) -> type[Encoder] | type[PictureEncoder]:
    """The class that reads the source. Raises ValueError for one that does not exist."""
    if name not in ENCODERS:
        raise ValueError(f"unknown encoder {name[:40]!r}; choose one of {', '.join(ENCODERS)}")
    return ENCODERS[name]


def read_known_config(path: Path) -> ModelConfig:
    """As `read_config`, of a kind that there is."""
    config = read_config(path)
    if config.kind not in kinds():
        unknown = f"unknown kind {config.kind[:40]!r}, not one of {', '.join(kinds())}"
        raise CheckpointError(f"{path} does not describe a model: {unknown}; {UPGRADE}")
    if not config.classic and config.encoder not in ENCODERS:
        unknown = f"unknown encoder {config.encoder[:40]!r}, not one of {', '.join(ENCODERS)}"
        raise CheckpointError(f"{path} does not describe a model: {unknown}; {UPGRADE}")
    return config


class Seq2Seq(nn.Module, ModelHubMixin):
    """An encoder, and a decoder of the kind the config names. `Seq2Seq(config)` has random weights."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder: nn.Module
        self.decoder: Decoder
        decoder = decoder_class(config.kind)
        if config.classic:
            self.encoder, self.decoder = ClassicEncoder(config), decoder(config)
            return
        embedding = Embedding(config, config.vocab_size)
        source = Embedding(config, config.source_vocab_size) if config.source_vocab_size else embedding
        self.encoder, self.decoder = encoder_class(config.encoder)(config, source), decoder(config, embedding)

    def forward(self, src: Tensor, src_lengths: Tensor, prev: Tensor) -> tuple[Tensor, Tensor | None]:
        """src (B, S), src_lengths (B,), prev (B, T) -> logits (B, T, V) and weights (B, T, S) or None"""
        return self.decoder(prev, self.decoder.init_state(self.encoder(src, src_lengths)))

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def parameter_count(self) -> int:
        """Trained numbers, shared ones counted once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def save_pretrained(
        self,
        save_directory: str | Path,
        *,
        dtype: torch.dtype = torch.float16,
        push_to_hub: bool = False,
        **hub_options: Any,
    ) -> str | None:
        """Writes config and weights, and uploads the folder if asked to; then `hub_options` are those of `push_to_hub`.

        dtype: of the weights in the file; float16 halves it, float32 keeps every bit.
        The mixin's own version deletes the config before it writes a new one, which a kill in between would make final,
        and leaves a model card that knows nothing.
        """
        directory = Path(save_directory)
        directory.mkdir(parents=True, exist_ok=True)
        self._save_pretrained(directory, dtype)
        if not push_to_hub:
            return None
        hub_options = {"repo_id": directory.name, "folder": directory, "dtype": dtype} | hub_options
        return self.push_to_hub(**hub_options)

    def push_to_hub(  # ty: ignore[incompatible-method-override]: fewer options, each of which means something here
        self,
        repo_id: str,
        *,
        folder: str | Path | None = None,
        dtype: torch.dtype = torch.float16,
        commit_message: str = "Upload a checkpoint",
        private: bool | None = None,
        token: str | None = None,
        branch: str | None = None,
        create_pr: bool | None = None,
    ) -> str:
        """Uploads config and weights in one commit -> its address. The repository is made if it is not there.

        folder: the checkpoint's, of which tokenizer, metrics and model card go with them; a `Translator` needs the first.
        Raises CheckpointError if the hub refuses or cannot be reached. The others are options of `huggingface_hub`.
        """
        api = HfApi(token=token)
        with TemporaryDirectory() as whole:
            for name in BESIDE:
                if folder is not None and (Path(folder) / name).is_file():
                    (Path(whole) / name).write_bytes(read_sealed(Path(folder) / name))
            self._save_pretrained(Path(whole), dtype)
            try:
                repo_id = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
                return api.upload_folder(
                    repo_id=repo_id,
                    folder_path=whole,
                    commit_message=commit_message,
                    revision=branch,
                    create_pr=create_pr,
                )
            except Exception as error:  # as many kinds as in `checkpoint_file`
                raise CheckpointError(f"{repo_id} could not be pushed to the hub: {hub_reason(error)}") from error

    def _save_pretrained(self, save_directory: Path, dtype: torch.dtype = torch.float16) -> None:
        """Writes config and weights, each so that a kill or a full disk leaves the old one, and seals the folder."""
        directory = Path(save_directory)
        # named_parameters() gives a shared tensor once; safetensors refuses it twice.
        weights = {name: tensor.detach().to("cpu", dtype).contiguous() for name, tensor in self.named_parameters()}
        if name := not_finite(weights):
            raise CheckpointError(
                f"{name} has numbers that {dtype} cannot hold; nothing was written. Use torch.float32"
            )
        new = directory / (WEIGHTS_FILE + ".new")
        try:
            write_beside(new, save(weights))  # save_file would make a file that only its owner may read
            write_beside(directory / CONFIG_FILE, json.dumps(asdict(self.config), indent=2) + "\n")
            with unsealed(directory):
                new.replace(directory / WEIGHTS_FILE)
        finally:
            new.unlink(missing_ok=True)

    @classmethod
    def from_pretrained(  # ty: ignore[incompatible-method-override]: so that errors can be explained
        cls, checkpoint: str | Path, **options
    ) -> Seq2Seq:
        """A local folder or a hub id -> the model in float32, in evaluation mode. Raises CheckpointError.

        options: `revision`, `token` and others of `hf_hub_download`. This takes the place of the mixin's own method, which
        reads the config before anyone can say what is wrong with it.
        """
        config_path = checkpoint_file(checkpoint, CONFIG_FILE, **options)
        weights_path = checkpoint_file(checkpoint, WEIGHTS_FILE, **options)
        config = read_known_config(config_path)
        raw = read_sealed(weights_path)
        try:
            weights = load(raw)
        except (SafetensorError, KeyError, ValueError) as error:  # the latter two for kinds of numbers it does not know
            raise CheckpointError(f"{weights_path} cannot be read: {error}; fetch or train it again") from error
        try:
            with torch.device("meta"):  # sizes that do not fit must not take memory, nor those that do random numbers
                model = cls(config)
        except (RuntimeError, OverflowError, TypeError) as error:
            raise CheckpointError(f"{config_path} does not describe a model: its sizes are too large") from error
        expected = dict(model.named_parameters())
        wrong = sorted(
            name
            for name in expected.keys() | weights.keys()
            if name not in expected or name not in weights or expected[name].shape != weights[name].shape
        )
        if wrong:
            raise CheckpointError(f"{weights_path} does not fit {config_path}: {', '.join(wrong[:3])}")
        for name, tensor in weights.items():
            if tensor.dtype not in DTYPES:
                raise CheckpointError(f"{weights_path} has {name} as {tensor.dtype}; save it as one of {DTYPES}")
        if name := not_finite(weights):
            raise CheckpointError(f"{weights_path} has NaN or infinity in {name}; fetch or train it again")
        model = model.to_empty(device="cpu")
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(weights[name])
        return model.eval()


def not_finite(weights: Mapping[str, Tensor]) -> str | None:
    """The name of the first tensor with a NaN or an infinity, or None."""

    def finite(tensor: Tensor) -> bool:
        return bool(tensor.double().sum().isfinite() or tensor.isfinite().all())  # the sum is ten times as fast

    return next((name for name, tensor in weights.items() if not finite(tensor)), None)


def checkpoint_file(checkpoint: str | Path, name: str, **options) -> Path:
    """The path of one file of a checkpoint folder, or of a hub repository, which is fetched once and kept."""
    folder = Path(checkpoint)
    if folder.is_dir():
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} is not a checkpoint: it has no {name}")
        return folder / name
    if (
        str(checkpoint).startswith((".", "/", "~"))
        or str(checkpoint).count("/") != 1
        or str(checkpoint).startswith("checkpoints/")
    ):
        raise CheckpointError(f"no checkpoint at {checkpoint}: give a folder or a hub id such as name/en-fr-additive")
    # It tells of every try; what has come of them is in the message below.
    logging.getLogger("huggingface_hub.utils._http").setLevel(logging.ERROR)
    keep = ("revision", "cache_dir", "force_download", "local_files_only", "token")
    try:
        return Path(hf_hub_download(str(checkpoint), name, **{k: v for k, v in options.items() if k in keep}))
    except Exception as error:  # many kinds: no such repository, no network, no right to it
        raise CheckpointError(
            f"no folder {checkpoint}, and its {name} could not be fetched from the hub: {hub_reason(error)}"
        ) from error


def hub_reason(error: Exception) -> str:
    """Why the hub did not do what it was asked for, in one line; the library's own messages have several."""
    while isinstance(error, hub_errors.LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__  # it says only that the file is not here either
    for kind, reason in HUB_REASONS:
        if isinstance(error, kind):
            return reason
    response = getattr(error, "response", None)
    if isinstance(error, hub_errors.HfHubHTTPError) and response is not None:
        said = response.headers.get("X-Error-Message") or response.reason_phrase
        return f"it answers {response.status_code} ({' '.join(said.split())})"
    if isinstance(error, (hub_errors.HTTPError, ConnectionError, TimeoutError)):
        return "the hub cannot be reached"
    return " ".join(str(error).split()) or type(error).__name__

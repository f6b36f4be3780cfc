"""Speed and memory of this machine: what it could do at best, what training and decoding reach of that.

Two floors stand beside what was measured: a training step cannot be faster than its multiplications at the machine's
matrix rate, and a decoding step cannot be faster than reading its weights.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate.state import AcceleratorState
from torch.utils.flop_counter import FlopCounterMode

from seq2seq.classic import CLASSIC, CLASSIC_SIZES
from seq2seq.config import EOS, ModelConfig, TrainConfig
from seq2seq.data import Corpus
from seq2seq.decoder import DecoderState
from seq2seq.model import Seq2Seq, kinds
from seq2seq.search import greedy_steps
from seq2seq.training import Run

PIECES = 16
"""Of a 12-word sentence, `<eos>` included, in either language: what the bench trains on and decodes."""
COUNTED = (
    "Multiplications and additions of matrix products and of attention's weighted sums, two for each weight and token: "
    "forward once, backward twice. Not counted: element-wise functions, softmax, dropout, the optimizer, validation."
)
PRECISIONS = {"float32": "no", "bfloat16": "bf16"}


def flops_per_token(config: ModelConfig, source_length: int = PIECES, target_length: int = PIECES) -> float:
    """Floating-point operations of one training step per target piece, forward and backward; see COUNTED."""
    model = Seq2Seq(config)
    src, prev = (torch.full((1, length), EOS) for length in (source_length, target_length))
    forward = operations(lambda: model(src, torch.tensor([source_length]), prev))
    return 3 * forward / target_length


@torch.inference_mode()
def operations(work: Callable[[], Any]) -> int:
    """What torch counts of the matrix products in one call."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def bench(device: torch.device, config: ModelConfig | None = None, seconds: float = 1.5) -> dict[str, Any]:
    """The object of `bench --json`. `seconds`: how long each thing is measured, roughly."""
    config = config or ModelConfig()
    train = TrainConfig(data=(), valid=())
    products = list(matrix_rates(device, config, train.batch_tokens // PIECES, seconds / 5))
    best = {
        precision: max(p["gflops"] for p in products if p["precision"] == precision) for precision in precisions(device)
    }
    training, decoding = [], []
    for kind in kinds():
        sizes = CLASSIC_SIZES if kind in CLASSIC else {}
        shape = replace(config, kind=kind, **{k: min(v, getattr(config, k)) for k, v in sizes.items()})
        for precision in precisions(device):
            rate = training_rate(device, shape, train, precision, seconds)
            gflops = rate * flops_per_token(shape) / 1e9
            training.append(
                {
                    "kind": kind,
                    "precision": precision,
                    "tokens_per_second": round(rate, 1),
                    "flops_per_token": round(flops_per_token(shape)),
                    "gflops": round(gflops, 2),
                    "share": round(gflops / best[precision], 4),
                }
            )
        decoding.append({"kind": kind, **decoding_speed(device, shape, seconds)})
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "torch": torch.__version__,
        "memory": memory(device),
        "bandwidth_gb_s": round(bandwidth(device, 256_000_000, seconds / 3), 2),
        "matrix": products,
        "training": training,
        "decoding": decoding,
        "counted": COUNTED,
    }


def precisions(device: torch.device) -> list[str]:
    """float32, and bfloat16 where the device computes in it."""
    has_bfloat16 = device.type == "cpu" or (device.type == "cuda" and torch.cuda.is_bf16_supported())
    return ["float32", "bfloat16"] if has_bfloat16 else ["float32"]


def timings(work: Callable[[], Any], device: torch.device, seconds: float) -> list[float]:
    """Seconds of each call of `work`, called until `seconds` have passed, at least three times and once unmeasured."""
    taken: list[float] = []

    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        elif device.type == "mps":
            torch.mps.synchronize()
        return time.perf_counter()

    work()
    while len(taken) < 3 or sum(taken) < seconds:
        began = now()
        work()
        taken.append(now() - began)
    return taken


def matrix_rates(device: torch.device, config: ModelConfig, rows: int, seconds: float) -> Iterator[dict[str, Any]]:
    """The fastest of several runs of the large products of a training step, and of one that fills any machine."""
    V, E, H = config.vocab_size, config.embedding_size, config.hidden_size
    sizes = {"GRU input": (rows, E + H, 3 * H), "output layer": (rows, E, V), "square": (1024, 1024, 1024)}
    for precision in precisions(device):
        for name, (n, inner, columns) in sizes.items():
            left = torch.randn(n, inner, device=device, dtype=getattr(torch, precision))
            right = torch.randn(columns, inner, device=device, dtype=left.dtype)
            fastest = min(timings(lambda a=left, b=right: torch.nn.functional.linear(a, b), device, seconds))
            rate = 2 * n * inner * columns / fastest / 1e9
            yield {"precision": precision, "product": name, "size": [n, inner, columns], "gflops": round(rate, 2)}


def bandwidth(device: torch.device, size: int, seconds: float) -> float:
    """GB/s at which `size` bytes of float32 weights are read, again and again, by a product with one vector."""
    weights = torch.randn(max(1, size // 4 // 1024), 1024, device=device)
    vector = torch.randn(1024, device=device)
    return weights.numel() * 4 / min(timings(lambda: weights @ vector, device, seconds)) / 1e9


def training_rate(
    device: torch.device, config: ModelConfig, train: TrainConfig, precision: str, seconds: float
) -> float:
    """Target pieces a second of `Run.update`, the very step that `train` makes, on one batch of sentences of PIECES."""
    # accelerate keeps its precision for the whole process, and here every run has another.
    AcceleratorState._reset_state(reset_partial_state=True)
    train = TrainConfig(**{**vars(train), "mixed_precision": PRECISIONS[precision]})
    sentences = max(1, train.batch_tokens // PIECES)
    draw = torch.Generator().manual_seed(1)
    ids = torch.randint(EOS + 1, config.vocab_size, (2 * sentences, PIECES - 1), generator=draw).tolist()
    rows = [(*row, EOS) for row in ids]
    corpus = Corpus(tuple(zip(rows[:sentences], rows[sentences:])), (1,) * sentences)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Seq2Seq(config).to(device), None, corpus, train, Path(folder))
        run.model.train()
        taken = timings(lambda: run.update(list(range(sentences))), device, seconds)
    AcceleratorState._reset_state(reset_partial_state=True)
    return sentences * PIECES / statistics.median(taken)


def decoding_speed(device: torch.device, config: ModelConfig, seconds: float) -> dict[str, float]:
    """Seconds of one greedy step and of a whole 12-word sentence, one sentence at a time in float32, and their floors.

    The floor is the time to read the weights, at the rate at which so many bytes are read again and again: a small
    model's weights stay in the processor's cache.
    """
    model = Seq2Seq(config).to(device).eval()
    source = torch.randint(EOS + 1, config.vocab_size, (1, PIECES), device=device)
    lengths = torch.tensor([PIECES])

    @torch.inference_mode()
    def encode():
        return model.decoder.init_state(model.encoder(source, lengths))

    def decode(state):
        for step in greedy_steps(model.decoder, state, PIECES, 1):
            step.ids.tolist()  # a search must look at what it wrote

    state = encode()
    steps = statistics.median(timings(lambda: decode(state), device, seconds / 3))
    sentence = statistics.median(timings(lambda: decode(encode()), device, seconds / 3))
    # Every weight of a product is read once: two operations, four bytes; so is the memory that attention looks at. Counted on
    # the CPU, because torch counts nothing of what cuDNN does, and the encoder for one piece.
    copy = Seq2Seq(config).eval()

    def begun(pieces: int) -> DecoderState:
        return copy.decoder.init_state(copy.encoder(torch.full((1, pieces), EOS), torch.tensor([pieces])))

    with torch.inference_mode():
        whole = begun(PIECES)
    encoder_bytes = 2 * operations(lambda: begun(1))
    step_bytes = 2 * operations(lambda: copy.decoder.step(torch.tensor([EOS]), whole))
    rate = bandwidth(device, step_bytes, seconds / 3) * 1e9
    return {
        "step_seconds": round(steps / PIECES, 6),
        "step_floor_seconds": round(step_bytes / rate, 6),
        "sentence_seconds": round(sentence, 6),
        "sentence_floor_seconds": round((encoder_bytes + PIECES * step_bytes) / rate, 6),
        "weights_gb_s": round(rate / 1e9, 2),
    }


def memory(device: torch.device) -> dict[str, int | None]:
    """Bytes the device has, and the most that this process held of them until now; None where that is not known."""
    if device.type == "cuda":
        return {
            "total": torch.cuda.get_device_properties(device).total_memory,
            "peak": torch.cuda.max_memory_allocated(device),
        }
    try:
        import resource

        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        unit = 1 if os.uname().sysname == "Darwin" else 1024
        return {"total": total, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}
    except (ImportError, ValueError, OSError):
        return {"total": None, "peak": None}


def table(result: dict[str, Any]) -> str:
    """`bench` for people."""
    load = "" if result["load"] is None else f", load {result['load']}"
    held = {name: "unknown" if value is None else f"{value / 1e9:.2f} GB" for name, value in result["memory"].items()}
    lines = [
        f"{result['device']}, {result['threads']} threads of {result['cores']} cores{load}, torch {result['torch']}",
        f"memory: {held['total']}, at most {held['peak']} used; {result['bandwidth_gb_s']} GB/s read",
        "",
        f"{'matrix product':16} {'size':>18} {'precision':>10} {'GFLOP/s':>10}",
    ]
    for row in result["matrix"]:
        size = " x ".join(map(str, row["size"]))
        lines.append(f"{row['product']:16} {size:>18} {row['precision']:>10} {row['gflops']:10.1f}")
    lines += [
        "",
        f"{'training':18} {'precision':>10} {'tokens/s':>10} {'MFLOP/token':>12} {'GFLOP/s':>10} {'share':>7}",
    ]
    for row in result["training"]:
        lines.append(
            f"{row['kind']:18} {row['precision']:>10} {row['tokens_per_second']:10,.0f} "
            f"{row['flops_per_token'] / 1e6:12.1f} {row['gflops']:10.1f} {row['share']:7.1%}"
        )
    lines += ["", f"{'decoding':18} {'ms a step':>10} {'floor':>8} {'ms, 12 words':>13} {'floor':>8} {'GB/s':>8}"]
    for row in result["decoding"]:
        step, floor = 1e3 * row["step_seconds"], 1e3 * row["step_floor_seconds"]
        whole, whole_floor = 1e3 * row["sentence_seconds"], 1e3 * row["sentence_floor_seconds"]
        lines.append(
            f"{row['kind']:18} {step:10.2f} {floor:8.2f} {whole:13.1f} {whole_floor:8.1f} {row['weights_gb_s']:8.1f}"
        )
    return "\n".join([*lines, "", f"Counted: {result['counted']}"])

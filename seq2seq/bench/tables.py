"""`bench` for people: its result as tables of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def table(result: dict[str, Any]) -> str:
    """Every measurement of the object of `bench --json`, beside what it is compared with."""
    load = "" if result["load"] is None else f", load {result['load']} at the start"
    lines = [f"{result['threads']} threads of {result['cores']} cores{load}, torch {result['torch']}", result["cuda"]]
    for device in result["devices"]:
        lines += on_device(device)
    if result["app"]:
        lines += of_app(result["app"])
    if result["app_error"]:
        lines += ["", f"the app: {result['app_error']}"]
    return "\n".join([*lines, "", f"Counted: {result['counted']}", f"Took {result['seconds']:.0f} seconds."])


def columns(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """An empty line and a table; the first column to the left, the others to the right."""
    cells = [list(heads), *map(list, rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    return [
        "",
        *(
            "  ".join(cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zip(row, widths)))
            for row in cells
        ),
    ]


def ms(value: float | None) -> str:
    return "-" if value is None else f"{1e3 * value:,.1f}"


def share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def rate(value: float) -> str:
    return f"{value:,.0f}"


def times(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} x"


def size(value: float | None) -> str:
    return "-" if value is None else f"{value / 1e6:,.1f} MB"


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def on_device(device: dict[str, Any]) -> list[str]:
    held = device["memory"]
    lines = [
        "",
        f"== {device['device']}: {device['checkpoint'] or 'a model'} ({device['kind']})",
        f"memory {size(held['total_bytes'])}, at most {size(held['peak_bytes'])} used",
    ]
    lines += of_floors(device["floors"])
    gpu = device["type"] == "cuda"
    for part, write in (("latency", of_latency), ("throughput", of_throughput), ("training", of_training)):
        if device[part]:
            lines += write(device[part], gpu)
    return lines + (of_growth(device["growth"]) if device["growth"] else [])


def of_floors(floors: dict[str, Any]) -> list[str]:
    rows = [
        (row["product"], " x ".join(map(str, row["size"])), row["precision"], str(row["threads"]), rate(row["gflops"]))
        for row in floors["matrix"]
    ]
    return [
        *columns(("matrix product", "size", "precision", "threads", "GFLOP/s"), rows),
        f"weights of a step ({size(floors['weights_bytes'])}) are read at {floors['weights_gb_s']} GB/s, "
        f"large memory at {floors['memory_gb_s']} GB/s; one small call of torch takes "
        f"{1e6 * floors['small_call_seconds']:.2f} µs",
    ]


def with_launches(
    gpu: bool, heads: Sequence[str], rows: list[dict[str, Any]], made: Sequence[Sequence[str]]
) -> list[str]:
    """Adds on a GPU the share of time in which it waits for launches."""
    if not gpu:
        return columns(heads, made)
    return columns(
        (*heads, "launch-bound"), [(*line, share(row["launch_bound_share"])) for row, line in zip(rows, made)]
    )


def of_latency(rows: list[dict[str, Any]], gpu: bool) -> list[str]:
    heads = (
        "latency, ms",
        "beam",
        "p50",
        "p95",
        "tutorial's way",
        "faster",
        "at most",
        "weights read",
        "of that",
        "same",
    )
    made = [
        (
            f"{row['words']} words",
            str(row["beam_size"]),
            ms(row["p50_seconds"]),
            ms(row["p95_seconds"]),
            ms(row["tutorial_p50_seconds"]),
            times(row["times_tutorial"]),
            times(row["times_tutorial_at_floor"]),
            ms(row["floor_seconds"]),
            times(row["times_floor"]),
            "yes" if row["same_translation"] else "NO",
        )
        for row in rows
    ]
    return with_launches(gpu, heads, rows, made)


def of_throughput(found: dict[str, Any], gpu: bool) -> list[str]:
    heads = ("throughput", "batch", "sentences", "sentences/s", "tokens/s", "GFLOP/s", "of matrix rate", "faster")
    made = [
        (
            f"beam {row['beam_size']}",
            str(row["batch_size"]),
            str(row["sentences"]),
            f"{row['sentences_per_second']:,.1f}",
            rate(row["target_tokens_per_second"]),
            f"{row['gflops']:.1f}",
            share(row["matrix_share"]),
            times(row["times_tutorial"]),
        )
        for row in found["rows"]
    ]
    lines = with_launches(gpu, heads, found["rows"], made)
    for row in found["tutorial"]:
        lines.append(
            f"tutorial's way, beam {row['beam_size']}: {row['sentences_per_second']} sentences/s, "
            f"{row['target_tokens_per_second']:.0f} tokens/s; "
            f"the same translation for {row['same_translations']} of {row['sentences']}"
        )
    ratios = ", ".join(f"{row['times']:.1f} (batch {row['batch_size']})" for row in found["beam_over_greedy"])
    return [*lines, f"beam 5 over greedy, in time: {ratios}; matrix rate beside it {found['matrix_gflops']} GFLOP/s"]


def of_training(rows: list[dict[str, Any]], gpu: bool) -> list[str]:
    heads = ("training", "precision", "tokens/s", "MFLOP/token", "GFLOP/s", "of matrix rate", "tutorial's", "faster")
    made = [
        (
            row["kind"],
            row["precision"],
            rate(row["tokens_per_second"]),
            f"{row['flops_per_token'] / 1e6:.1f}",
            f"{row['gflops']:.1f}",
            share(row["matrix_share"]),
            rate(row["tutorial_tokens_per_second"]),
            times(row["times_tutorial"]),
        )
        for row in rows
    ]
    return with_launches(gpu, heads, rows, made)


def of_growth(found: dict[str, Any]) -> list[str]:
    made = []
    for axis, grown in found.items():
        for point in grown["points"]:
            made.append(
                (
                    f"{axis} {point['value']}",
                    ms(point["seconds"]),
                    f"{1e6 * point['seconds_per_target_piece']:,.0f}",
                    size(point["extra_memory_bytes"]),
                    size(point["peak_memory_bytes"]),
                )
            )
    lines = columns(("growth", "ms", "µs a piece", "memory more", "memory at most"), made)
    fitted = [
        (
            axis,
            number(grown["seconds_exponent"]),
            number(grown["seconds_exponent_of_large"]),
            number(grown["seconds_per_target_piece_exponent"]),
            number(grown["seconds_per_target_piece_exponent_of_large"]),
            number(grown["extra_memory_exponent"]),
        )
        for axis, grown in found.items()
    ]
    return lines + columns(("exponent", "time", "large", "time a piece", "large", "memory more"), fitted)


def of_app(app: dict[str, Any]) -> list[str]:
    taken = app["imports"]
    lines = [
        "",
        "== the app",
        "a process that imports "
        + ", ".join(f"{name.removesuffix('_seconds')}: {value:.2f} s" for name, value in taken.items()),
        f"first page after {app['first_page_seconds']:.2f} s "
        f"({app['first_page_beyond_imports_seconds']:+.2f} s over gradio and torch), "
        f"first translation after {app['first_translation_seconds']:.2f} s",
        f"memory at most {size(app['peak_memory_at_start_bytes'])} at the start, "
        f"{size(app['peak_memory_bytes'])} after all clients",
    ]
    if picture := app["heatmap"]:
        lines.append(
            f"heatmap: {picture['updates']} updates, the first {picture['first_update_bytes']} bytes, "
            f"then {picture['update_bytes']}, {picture['all_bytes']} in all"
        )
    made = [
        (
            str(row["clients"]),
            str(row["sentences"]),
            str(row["failures"]),
            ms(row["p50_seconds"]),
            ms(row["p95_seconds"]),
            times(row["p95_over_one_client_p50"]),
            f"{row['sentences_per_second']:.1f}",
        )
        for row in app["clients"]
    ]
    heads = ("clients", "sentences", "failures", "p50, ms", "p95, ms", "p95 over one's p50", "sentences/s")
    return lines + columns(heads, made)

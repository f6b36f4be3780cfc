"""The page. The only package that knows gradio: pure functions, then layout, then wiring; no model code."""

from seq2seq.demo.page import build, launch_options, warm_up

__all__ = ["build", "launch_options", "warm_up"]

"""The page. The only package that knows gradio: pure functions, then layout, then wiring; no model code."""

from seq2seq.demo.memory import keep_giving_back
from seq2seq.demo.page import build, launch_options, warm_up

__all__ = ["build", "keep_giving_back", "launch_options", "warm_up"]

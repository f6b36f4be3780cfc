"""The page: `python app.py` starts it, and so does a Hugging Face Space."""

import signal
import sys
from threading import Thread

from seq2seq.demo import build, launch_options, warm_up

demo = build()

if __name__ == "__main__":
    # Ended like this, too, it deletes the files that it was sent.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    # Beside the launch, so that the first visitor does not wait for the models.
    Thread(target=warm_up, daemon=True).start()
    demo.launch(**launch_options())

"""The page: `python app.py` starts it, and so does a Hugging Face Space."""

from seq2seq.demo import build, launch_options

demo = build()

if __name__ == "__main__":
    demo.launch(**launch_options())

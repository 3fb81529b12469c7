# Runs llmock as its command line would, and ends when its standard input closes, so that it never
# outlives who started it.
import os
import sys
import threading


def watch():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=watch, daemon=True).start()

from llmock.cli import app  # noqa: E402  (slow: watched from the first moment)

app()

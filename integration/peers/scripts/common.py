"""What the peers share: they speak JSON lines on stdout, and end with their stdin."""

import hashlib
import json
import os
import sys
import threading


def say(**facts):
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def end_with_stdin():
    def wait():
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def got(payload, **facts):
    """Tells of a message: text is a str, anything else bytes."""
    body = payload.encode() if isinstance(payload, str) else bytes(payload)
    say(text=isinstance(payload, str), sha256=hashlib.sha256(body).hexdigest(), **facts)

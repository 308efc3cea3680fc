"""Makes sense of pages in a process of its own: pages come in, what they say goes out.

Each message is eight bytes of length, lowest first, and a pickle. A page that hangs or breaks the parser
takes nothing down with it but this process, and only who started it talks to it.
"""

from __future__ import annotations

import pickle
import resource
import signal
import sys
from typing import IO

from dedup.io.html import Page, told
from dedup.io.place import SetAside

_MOST = 4 * 2**30  # bytes of memory


def sent(stream: IO[bytes], value: object) -> None:
    """Send a message."""
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    stream.write(len(data).to_bytes(8, "little") + data)
    stream.flush()


def main() -> None:
    """Answer until there is nothing more to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it ends it
    resource.setrlimit(resource.RLIMIT_AS, (_MOST, resource.getrlimit(resource.RLIMIT_AS)[1]))
    answers, sys.stdout = sys.stdout.buffer, sys.stderr
    while head := sys.stdin.buffer.read(8):
        page: Page = pickle.loads(sys.stdin.buffer.read(int.from_bytes(head, "little")))
        found = told(page)
        sent(answers, (str(found), found.kind) if isinstance(found, SetAside) else found)

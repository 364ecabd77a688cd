"""A client that may be killed: it writes down what was accepted and sends everything else again. Standard library only.

    python client.py FOLDER PORT KEY FIRST STEP BATCHES SIZE

It sends batches FIRST, FIRST + STEP, … up to BATCHES of SIZE events each, no further than the number in FOLDER/allowed
says, so that whoever kills it decides how fast it goes. FOLDER/accepted-FIRST holds the answered batches, one a line.
FOLDER/lies collects answers that no client should ever get.
"""

from __future__ import annotations

import base64
import http.client
import json
import sys
import time
from pathlib import Path


def events(batch: int, size: int) -> list[dict[str, object]]:
    return [
        {"type": "track", "messageId": f"e{n}", "userId": f"v{n % 5000}", "event": "Product Viewed"}
        for n in range(batch * size, (batch + 1) * size)
    ]


def main(folder: Path, port: int, key: str, first: int, step: int, batches: int, size: int) -> None:
    memory = folder / f"accepted-{first}"
    accepted = set(memory.read_text().split()) if memory.exists() else set()
    headers = {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}
    with memory.open("a") as done:
        for batch in range(first, batches, step):
            if str(batch) in accepted:
                continue
            while batch >= int((folder / "allowed").read_text() or 0):
                time.sleep(0.05)
            body = json.dumps({"batch": events(batch, size)})
            while not sent(folder, port, body, headers):
                time.sleep(0.1)
            done.write(f"{batch}\n")
            done.flush()


def sent(folder: Path, port: int, body: str, headers: dict[str, str]) -> bool:
    """Whether the batch was accepted; any other honest answer, or none, means to try again."""
    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        wire.request("POST", "/v1/batch", body, headers)
        answer = wire.getresponse()
        said = answer.read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        wire.close()
    if answer.status == 200:
        return True
    if answer.status not in (429, 503) or not answer.headers.get("Retry-After"):
        with (folder / "lies").open("a") as lies:
            lies.write(f"{answer.status} {said[:300]!r}\n")
    return False


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:8]))

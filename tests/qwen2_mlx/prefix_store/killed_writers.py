"""Fifty writers, each killed at a random moment; after each, what is left is checked.

    python -m tests.qwen2_mlx.prefix_store.killed_writers FOLDER SEED

Prints one JSON object: how many writers died in the middle of a file, how many entries
there are at the end, and everything that was wrong.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from random import Random

from qwen2_mlx.prefix_store.folder import Folder
from qwen2_mlx.prefix_store.verify import damage
from tests.qwen2_mlx.prefix_store.samples import add_sample

KILLS = 50
FLOATS = 2**18  # a mebibyte takes long enough to write to be killed at it
MOST_SECONDS = 0.05


def main(path: Path, seed: int) -> dict[str, object]:
    rng = Random(seed)
    folder = Folder(path, 2**40)
    add_sample(folder, 0, floats=FLOATS)
    died_writing, before, problems = 0, set[str](), list[str]()
    for kill in range(KILLS):
        writer = os.fork()
        if writer == 0:
            write_until_killed(path, kill)
        time.sleep(MOST_SECONDS * rng.random())
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        died_writing += any(path.glob(".unfinished-*"))
        folder.sweep()
        problems += [f"left behind: {name}" for name in path.glob(".unfinished-*")]
        found = {stored.path.name for stored in folder.files()}
        problems += [f"lost: {name}" for name in before - found]
        problems += [f"damaged: {one}" for stored in folder.files() if (one := damage(folder, stored))]
        before = found
    return {"died_writing": died_writing, "entries": len(before), "problems": problems}


def write_until_killed(path: Path, turn: int) -> None:
    while True:
        add_sample(Folder(path, 2**40), turn % 7, floats=FLOATS)
        turn += 1


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))

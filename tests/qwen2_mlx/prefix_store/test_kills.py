"""A writer may die at any moment without taking anything with it."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_fifty_writers_killed_at_random_moments_lose_nothing_and_leave_nothing(tmp_path: Path) -> None:
    # In a process of its own: one that has started threads, as MLX does, must not fork.
    command = [sys.executable, "-m", "tests.qwen2_mlx.prefix_store.killed_writers", str(tmp_path), "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["problems"] == []
    assert report["entries"] > 1
    assert report["died_writing"] >= 10, "too few were killed in the middle of a file to show anything"

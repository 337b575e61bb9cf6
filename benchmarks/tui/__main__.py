"""What the full-screen chat costs the one who types, beside Textual's own Markdown stream in the same run.

    python -m benchmarks.tui [--kinds prose list code table] [--parts keys start large] [--keys 30] [--json]

Both programs run on a pseudo-terminal of 120x40 and stream prepared text at 100 tokens a second. Key to
screen is measured after 15 s of one answer, and for our chat also at 8,000 tokens; CPU and bytes while
nobody types. The peer is `benchmarks.tui.stock`. Times depend on the machine and on what else runs on it:
compare columns, and runs on a machine that is idle. A few minutes.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.tui import report
from benchmarks.tui.large import measure_large
from benchmarks.tui.scenes import Programs, measure_start, measure_stream
from benchmarks.tui.text import KINDS

PARTS = ("keys", "start", "large")


def main() -> int:
    """Runs the parts that were asked for and prints one table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tui", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--keys", type=int, default=30, help="keys per measurement")
    parser.add_argument("--rate", type=float, default=100.0, help="tokens per second")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        programs = Programs(Path(folder), args.rate)
        rows: list[report.Row] = []
        if "keys" in args.parts:
            for kind in args.kinds:
                rows += measure_stream(programs, kind, args.keys)
        if "start" in args.parts:
            rows += measure_start(programs)
        if "large" in args.parts:
            rows += measure_large(programs)
    print(json.dumps([asdict(row) for row in rows]) if args.json else report.table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())

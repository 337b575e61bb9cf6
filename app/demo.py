"""The main job on the bundled model: three questions about a bundled document.

    python -m app.demo

The third asks for something that the document does not hold.
"""

import shlex
import sys
from pathlib import Path

from app.ask import command

DOCUMENT = Path(__file__).with_name("ask") / "examples" / "chronicle.txt"

QUESTIONS = (
    ("What is the secret code of Morvan Telun?", 0),
    ("Tell me the home town of Sanin Grelvo.", 0),
    ("What is the trade of Morvan Telun?", command.NOT_IN_DOCUMENT),
)


def main() -> int:
    """Asks, shows the commands that ask, and returns 0 when every question ended as it should."""
    try:
        name = str(DOCUMENT.relative_to(Path.cwd()))
    except ValueError:
        name = str(DOCUMENT)
    ended = []
    for question, _ in QUESTIONS:
        print(f"$ {command.PROGRAM} {shlex.quote(question)} {shlex.quote(name)}", flush=True)
        ended.append(command.main([question, name]))
        print(flush=True)
    return 0 if ended == [expected for _, expected in QUESTIONS] else 1


if __name__ == "__main__":
    sys.exit(main())

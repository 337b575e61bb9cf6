"""The name of an entry, which says all that its content depends on."""

import hashlib
import json
from collections.abc import Mapping

#: What the names of these facts begin with in an entry's header, which holds others besides.
COMPUTED = "computed."


def entry_key(facts: Mapping[str, str], tokens: bytes) -> str:
    """SHA-256, in hexadecimal, over how a prefix was computed and its token ids.

    Of `facts` only those count whose name begins with `COMPUTED`. `tokens` are the ids as an
    entry holds them: little-endian, four bytes each.
    """
    computed = {name: value for name, value in facts.items() if name.startswith(COMPUTED)}
    digest = hashlib.sha256(json.dumps(computed, sort_keys=True, separators=(",", ":")).encode())
    digest.update(tokens)
    return digest.hexdigest()

"""Count: the tokens of a conversation, while its last message is being typed."""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

from app.chat.engine.messages import Said
from app.chat.engine.opened import as_messages
from qwen2_mlx.errors import PromptError
from qwen2_mlx.tokenizer import Tokenizer

#: Messages whose counts are remembered, but not their texts: a draft is another one with each key.
REMEMBERED = 20_000

_EMPTY: Said = ("user", "")


class Counting:
    """Counts each message once.

    Chat templates put control tokens around every message, and text is cut into tokens between these, so
    the tokens of messages add up; only the first one may bring a default system prompt with it.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._counts: OrderedDict[bytes, int] = OrderedDict()

    def count(self, conversation: Sequence[Said]) -> int:
        """Tokens of a conversation as a prompt. Raises `PromptError` where the template refuses it."""
        if not conversation:
            return 0
        try:
            first = self._remembered([conversation[0]])
            alone = self._remembered([_EMPTY])
            return first + sum(self._remembered([_EMPTY, said]) - alone for said in conversation[1:])
        except PromptError:  # a template with an opinion about the order of messages
            return self._whole(conversation)

    def _remembered(self, conversation: Sequence[Said]) -> int:
        key = hashlib.blake2b(repr(conversation).encode(errors="surrogatepass"), digest_size=16).digest()
        if key in self._counts:
            self._counts.move_to_end(key)
        else:
            self._counts[key] = self._whole(conversation)
            if len(self._counts) > REMEMBERED:
                self._counts.popitem(last=False)
        return self._counts[key]

    def _whole(self, conversation: Sequence[Said]) -> int:
        return len(self._tokenizer.encode_chat(as_messages(conversation)))

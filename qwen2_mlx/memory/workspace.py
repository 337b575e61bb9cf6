"""The arrays of one pass through the model: what it needs besides weights and cache.

Written along `models/qwen2.py`, `models/qwen2_moe.py` and `attention/`: the same operations in
the same order, each with the size of its result in bytes. Comments name what is computed where
that is not the name of the method. Only what grows with the tokens is there.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from qwen2_mlx.attention.attend import FUSED_HEAD_DIMS, QUERY_BLOCK
from qwen2_mlx.attention.positions import Piece, pieces
from qwen2_mlx.attention.rope import TABLE_ROWS
from qwen2_mlx.attention.tiles import TILE_KEYS
from qwen2_mlx.cache.format import KVFormat
from qwen2_mlx.config import ModelConfig
from qwen2_mlx.finish import finishes
from qwen2_mlx.memory.tape import Array, Tape

#: Bytes of a float32 number, in which attention is computed in tiles.
_FLOAT = 4

#: Tiles, or blocks of queries, of which more would change nothing.
_REPEATS = 6


@dataclass(frozen=True)
class Compute:
    """Where and in what type a model computes: bytes of a number, and whether MLX has its fused kernels.

    `tile` is the size of a tile of scores, see `attention.tiles.workspace`.
    """

    itemsize: int
    gpu: bool
    tile: int


def workspace_bytes(
    config: ModelConfig, compute: Compute, kv: KVFormat | None, context: int, prefill_step: int
) -> int:
    """Peak of the arrays while `context` tokens are read in pieces of `prefill_step` and answered."""
    read = max(1, context - 1)
    last = read - (read - 1) // prefill_step * prefill_step
    passes = {(min(prefill_step, read), read - last), (last, read), (1, context)}
    return max(
        _Pass(config, compute, kv, time, keys).peak(answers=keys == context) for time, keys in passes if keys
    )


class _Pass:
    """`time` new tokens, after which the cache holds `keys`."""

    def __init__(self, config: ModelConfig, compute: Compute, kv: KVFormat | None, time: int, keys: int):
        self.config, self.compute, self.kv, self.time, self.keys = config, compute, kv, time, keys
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.head_dim = config.head_dim
        self.tape = Tape()

    def peak(self, answers: bool) -> int:
        """Bytes; with the logits of a row where the pass `answers`.

        The last layer of any other pass ends where its keys and values are cached.
        """
        config = self.config
        layers = list(range(config.num_hidden_layers - (not answers)))
        if config.moe is None or all(config.moe.is_sparse(layer) for layer in layers):
            layers = layers[-2:]  # they are all alike, and two of them touch
        turns = self.rows(self.head_dim / 2, _FLOAT)
        cos, sin = self.tape.new(turns), self.tape.new(turns)
        x = self.tape.new(self.hidden)
        for layer in layers:
            x = self.layer(x, layer, cos, sin)
        if answers:
            self.head(x)
        else:
            self.remember(self.project(x), cos, sin)
        self.tape.view(cos, sin)
        return self.tape.peak()

    def rows(self, width: float, itemsize: int | None = None) -> int:
        """Bytes of an array of `width` numbers a token."""
        return int(self.time * width * (itemsize or self.compute.itemsize))

    @property
    def hidden(self) -> int:
        return self.rows(self.config.hidden_size)

    # The model.

    def layer(self, x: Array, index: int, cos: Array, sin: Array) -> Array:
        heads = self.project(x)
        self.remember(heads, cos, sin)
        attended = [self.piece(piece, heads, cos, sin) for piece in self.pieces()]
        if len(attended) > 1:
            attended = [self.tape.new(self.rows(self.heads * self.head_dim), *attended)]
        joined = self.tape.new(self.rows(self.heads * self.head_dim), *attended, entries=4)
        x = self.tape.within(self.tape.new(self.hidden, joined, entries=5), x)
        self.finish(index)
        sparse = self.config.moe is not None and self.config.moe.is_sparse(index)
        x = self.experts(x) if sparse else self.mlp(x, self.norm(x), self.config.intermediate_size)
        self.finish(index)
        return x

    def finish(self, index: int) -> None:
        if index < self.config.num_hidden_layers - 1 and finishes(self.hidden, self.compute.gpu):
            self.tape.wait()

    def norm(self, x: Array) -> Array:
        if self.compute.gpu:
            return self.tape.new(self.hidden, x)
        squares = self.tape.new(self.hidden, x)
        self.tape.new(self.rows(1, _FLOAT), squares, entries=10)
        return self.tape.within(self.tape.new(self.hidden, x, entries=4))

    def project(self, x: Array) -> Array:
        width = (self.heads + 2 * self.kv_heads) * self.head_dim
        return self.tape.new(self.rows(width), self.norm(x), entries=9)

    def mlp(self, x: Array, normed: Array, width: int) -> Array:
        gate = self.tape.new(self.rows(width), normed, entries=5)
        up = self.tape.new(self.rows(width), normed, entries=5)
        product = self.tape.within(gate, up)
        return self.tape.within(self.tape.new(self.hidden, product, entries=5), x)

    def experts(self, x: Array) -> Array:
        moe, tape = self.config.moe, self.tape
        assert moe is not None
        normed, chosen = self.norm(x), moe.num_experts_per_tok
        wide, narrow = (
            self.rows(chosen * self.config.hidden_size),
            self.rows(chosen * moe.moe_intermediate_size),
        )
        shares = tape.new(self.rows(moe.num_experts, _FLOAT), normed, entries=7)
        order = tape.new(
            self.rows(moe.num_experts, _FLOAT), tape.new(self.rows(moe.num_experts, _FLOAT), shares)
        )
        gathered = tape.new(wide, normed, order, entries=24)
        up = tape.new(narrow, gathered, entries=5)
        gate = tape.new(narrow, gathered, entries=5)
        down = tape.new(wide, tape.within(gate, up), entries=5)
        back = tape.new(wide, down, entries=5)
        routed = tape.new(self.hidden, back, shares, entries=12)
        both = self.mlp(routed, normed, moe.shared_expert_intermediate_size)
        return tape.within(both, x)

    def head(self, x: Array) -> None:
        logits = self.tape.new(self.rows(self.config.vocab_size), self.norm(x))
        for _ in range(4):  # forbidden rows, their sum, probabilities and a sorted copy
            logits = self.tape.new(self.config.vocab_size * _FLOAT, logits)

    # Keys and values.

    def remember(self, heads: Array, cos: Array, sin: Array) -> None:
        tape, quantized = self.tape, self.kv is not None and self.kv.is_quantized
        size = self.rows(self.kv_heads * self.head_dim)
        keys = tape.new(size, heads, entries=6) if quantized else heads  # without their bias
        keys = self.rotated(keys, self.kv_heads, self.time, cos, sin)
        if self.kv is None:
            tape.view(keys, heads, entries=8)
        elif not quantized:
            for source in (keys, heads):
                half = tape.new(self.rows(self.kv_heads * self.head_dim, 2), source)
                tape.view(half, entries=3)
        else:
            for source, bits in ((keys, self.kv.keys), (heads, self.kv.values)):
                if source is heads:
                    source = tape.new(size, heads)  # contiguous
                codes = tape.new(size / self.compute.itemsize * bits / 8, source)
                tape.view(codes, entries=12)

    def rotated(self, x: Array, heads: int, time: int, cos: Array, sin: Array) -> Array:
        half = time * heads * self.head_dim / 2 * self.compute.itemsize
        first, second = self.tape.new(half, x, cos, sin), self.tape.new(half, x, cos, sin)
        return self.tape.new(2 * half, first, second, entries=3)

    # Attention.

    def pieces(self) -> list[Piece]:
        return list(pieces(self.keys - self.time, self.time, self.config.dual_chunk))

    def piece(self, piece: Piece, heads: Array, cos: Array, sin: Array) -> Array:
        time, spans = piece.stop - piece.start, [(span.start, span.stop) for span in piece.spans]
        queries = [self.rotated(heads, self.heads, time, cos, sin) for _ in spans]
        quantized = self.kv is not None and self.kv.is_quantized
        plain = self.kv is None or (not quantized and self.compute.itemsize == 2)
        if plain and len(spans) == 1:
            if self.compute.gpu and (time == 1 or self.head_dim in FUSED_HEAD_DIMS):
                return self.tape.new(self.row_bytes(time, self.head_dim), *queries)
            if time == 1 or self.heads * QUERY_BLOCK * spans[-1][1] * _FLOAT <= self.compute.tile:
                return self.in_blocks(queries[0], time, spans[-1][1])
        if time == 1 and (plain or quantized):
            return self.whole_rows(queries, spans)
        return self.tiled(queries, time, spans)

    def row_bytes(self, time: int, width: int, itemsize: int | None = None) -> int:
        """Bytes of `width` numbers for every head of `time` queries."""
        return time * self.heads * width * (itemsize or self.compute.itemsize)

    def in_blocks(self, queries: Array, time: int, keys: int) -> Array:
        starts = range(0, time, QUERY_BLOCK)
        blocks: list[Array] = []
        for start in self.replayed(starts, self.row_bytes(QUERY_BLOCK, self.head_dim), blocks):
            count = min(QUERY_BLOCK, time - start)
            seen = keys - time + start + count
            scaled = self.tape.new(self.row_bytes(count, self.head_dim), queries, entries=9)
            scores = self.tape.new(self.row_bytes(count, seen, _FLOAT), scaled, entries=8)
            mask = self.tape.new(count * seen, entries=14)
            weights = self.tape.within(self.tape.within(scores, mask))
            blocks.append(self.tape.new(self.row_bytes(count, self.head_dim), weights, entries=6))
        return self.joined(blocks, time, len(starts))

    def tiled(self, queries: list[Array], time: int, spans: list[tuple[int, int]]) -> Array:
        count = max(1, self.compute.tile // (_FLOAT * self.heads * TILE_KEYS))
        starts = range(0, time, count)
        blocks: list[Array] = []
        for start in self.replayed(starts, self.row_bytes(count, self.head_dim), blocks):
            rows = min(count, time - start)
            blocks.append(self.block(queries, rows, spans, hidden=time - start - rows))
        return self.joined(blocks, time, len(starts))

    def replayed(self, starts: range, size: int, blocks: list[Array]) -> Iterator[int]:
        """The first and last few of `starts`; the results of the rest join `blocks` as one array."""
        few = _REPEATS // 2
        yield from starts[:few]
        if between := starts[few : len(starts) - few]:
            blocks.append(self.tape.new(len(between) * size, entries=0))
        yield from starts[max(few, len(starts) - few) :]

    def joined(self, blocks: list[Array], time: int, count: int) -> Array:
        if count == 1:
            return blocks[-1]
        return self.tape.new(self.row_bytes(time, self.head_dim), *blocks, entries=count + 1)

    def block(self, queries: list[Array], rows: int, spans: list[tuple[int, int]], hidden: int) -> Array:
        tape, mixed = self.tape, None
        mixed_size = self.row_bytes(rows, self.head_dim, _FLOAT)
        for query, (start, stop) in zip(queries, spans, strict=True):
            stop -= hidden if query is queries[-1] else 0
            scaled = tape.new(mixed_size, query, entries=6)
            widths = [min(TILE_KEYS, stop - first) for first in range(start, stop, TILE_KEYS)]
            for tile, width in enumerate(widths[-_REPEATS:], start=max(0, len(widths) - _REPEATS)):
                values, keys = self.tile(width, "values"), self.tile(width, "keys")
                scores = tape.new(self.row_bytes(rows, width, _FLOAT), scaled, keys, entries=4)
                if query is queries[-1] and tile == len(widths) - 1:
                    scores = tape.within(scores, tape.new(rows * width, entries=16))
                tape.view(scores, entries=2)  # the highest of each row
                weights = tape.new(self.row_bytes(rows, width, _FLOAT), scores)
                product = tape.new(mixed_size, weights, values)
                tape.view(weights, entries=6)  # the sum of each row
                if mixed is not None:
                    product = tape.within(tape.new(mixed_size, mixed, entries=3), product)
                mixed = product
        assert mixed is not None
        return tape.view(mixed, entries=4)

    def tile(self, width: int, name: str) -> Array:
        """Keys or values of a tile in float32."""
        tape, size = self.tape, width * self.kv_heads * self.head_dim * _FLOAT
        if self.kv is None or not self.kv.is_quantized:
            same = self.kv is None and self.compute.itemsize == _FLOAT
            return tape.new(0 if same else size, entries=2 if same else 4)
        values = self.dequantized(size, self.kv.keys if name == "keys" else self.kv.values)
        if name == "values":
            return values
        cos = tape.new(size / self.kv_heads, entries=27)
        parts = [tape.new(size / 2, cos, entries=3) for _ in range(4)]
        bias = tape.new(size, *parts, entries=3 + 4)
        return tape.within(values, bias)

    def dequantized(self, size: int, bits: int) -> Array:
        """An array of `size` bytes in float32 from codes of so many bits."""
        if self.compute.gpu:
            return self.tape.new(size, entries=8)
        fields = 32 // bits  # MLX has no kernel for it here and unpacks a word field by field
        parts = [self.tape.new(size / fields, entries=6) for _ in range(fields)]
        return self.tape.view(self.tape.new(size, *parts, entries=fields + 2), entries=17)

    def whole_rows(self, queries: list[Array], spans: list[tuple[int, int]]) -> Array:
        tape, parts = self.tape, []
        for query, (start, stop) in zip(queries, spans, strict=True):
            codes = self.codes(stop - start, "keys")
            scores = tape.new(self.row_bytes(1, stop - start, _FLOAT), query, codes, entries=4)
            if self.kv is not None:
                longest = -(-(stop - start) // TABLE_ROWS) * TABLE_ROWS
                bias = tape.new(self.row_bytes(1, longest, _FLOAT), query, entries=40)
                scores = tape.new(self.row_bytes(1, stop - start, _FLOAT), scores, bias, entries=3)
            parts.append(scores)
        keys = spans[-1][1]
        weights = parts[0] if len(parts) == 1 else tape.new(self.row_bytes(1, keys, _FLOAT), *parts)
        return tape.new(self.row_bytes(1, self.head_dim), tape.within(weights), self.codes(keys, "values"))

    def codes(self, keys: int, name: str) -> Array:
        """What a product with quantised keys or values copies of them: scales and offsets in float32.

        Without its GPU kernels MLX also copies the codes, because the cache has room behind them.
        """
        if self.kv is None:
            return self.tape.new(0, entries=2)
        numbers = keys * self.kv_heads * self.head_dim
        scales = self.tape.new(2 * numbers / 64 * _FLOAT, entries=6)
        if self.compute.gpu:
            return scales
        bits = self.kv.keys if name == "keys" else self.kv.values
        return self.tape.new(numbers * bits / 8, scales, entries=1)

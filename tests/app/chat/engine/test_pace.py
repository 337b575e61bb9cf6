"""The larger the model, the smaller the pieces in which it reads, down to a limit."""

import mlx.core as mx
import pytest

from app.chat.engine import pace
from app.chat.engine.fitting import Fitting


class Shaped:
    """As much of a model as is looked at."""

    def __init__(self, ref: str) -> None:
        self.args, *_ = Fitting()._described(ref, "auto")


@pytest.mark.parametrize(
    ("ref", "on_gpu", "step"),
    [("tiny", False, 512), ("0.5b", False, 64), ("7b", False, 64), ("0.5b", True, 512), ("7b", True, 512),
     ("72b", True, 64)],
)  # fmt: skip
def test_pieces_follow_the_work_of_a_token(
    ref: str, on_gpu: bool, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shaped = Shaped(ref)
    monkeypatch.setattr(mx, "default_device", lambda: mx.Device(mx.gpu if on_gpu else mx.cpu))
    assert pace.stoppable_step(shaped) == step  # type: ignore[arg-type]

"""The random models that generation and sessions are tested with."""

import pytest

import qwen2_mlx
from tests.checkpoints import DENSE, MOE
from tests.qwen2_mlx.lively import Loaded, write_lively_checkpoint


@pytest.fixture(scope="module", params=["dense", "moe"])
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A random model of each architecture, which never ends its answer by itself."""
    config = {"dense": DENSE, "moe": MOE}[request.param]
    folder = write_lively_checkpoint(tmp_path_factory.mktemp(request.param), config)
    model, tokenizer = qwen2_mlx.load(str(folder), rope="plain")  # so that the context has an end
    tokenizer.eos_ids = frozenset()
    return Loaded(folder, model, tokenizer)

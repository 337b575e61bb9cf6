"""Record the logits of transformers for every golden case. Run by hand; needs torch and transformers.

    python -m tests.golden.make_golden [CASE ...]

Each case becomes `tests/golden/CASE.safetensors` with `tokens` (batch, time) int32 and `logits`
(batch, time, vocab) float32. Its metadata, one JSON object so that the bytes of the file
are the same each time, names the config, the seed, the digest of the weights, this script and
the versions it ran with. The model reads its config and weights from a folder, as a user's
checkpoint would be read, and attention and experts are computed in their plain written-out form
in float32. `tests/qwen2_mlx/models/test_logits.py` replays the files with numpy alone.
"""

import argparse
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.numpy import save, save_file
from transformers import AutoModelForCausalLM

from tests.golden.cases import CASES, Case
from tests.golden.weights import digest, make_tokens, make_weights

FOLDER = Path(__file__).parent
SCRIPT = "tests/golden/make_golden.py"

# Another machine rounds differently. Two experts closer than this could change places there,
# which is a jump in the logits and no error, so a case with such a pair must get another seed.
# Router logits are of order one.
SMALLEST_ROUTER_MARGIN = 1e-4


def main() -> int:
    """Record the named cases, all of them by default; returns the exit code."""
    parser = argparse.ArgumentParser(description="Record the logits of transformers for the golden cases.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="cases to record (default: all)")
    wanted = parser.parse_args().cases
    unknown = set(wanted) - {case.name for case in CASES}
    if unknown:
        parser.error(f"unknown case: {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    for case in CASES:
        if not wanted or case.name in wanted:
            record(case)
    return 0


def record(case: Case) -> None:
    """Run one case through transformers and write its golden file."""
    weights = make_weights(case.config, case.seed)
    tokens = make_tokens(case.config, case.seed, case.batch, case.time)
    model = load_reference(case.config, weights)
    logits, margin = run_reference(model, tokens, case.config.get("num_experts_per_tok"))
    if margin < SMALLEST_ROUTER_MARGIN:
        raise SystemExit(
            f"{case.name}: two experts are within {margin:.1e}; choose another seed than {case.seed}"
        )
    origin = {
        "case": case.name,
        "config": case.config,
        "seed": case.seed,
        "weights_sha256": digest(weights),
        "script": SCRIPT,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "numpy": np.__version__,
    }
    path = FOLDER / f"{case.name}.safetensors"
    path.write_bytes(save({"tokens": tokens, "logits": logits}, metadata={"origin": json.dumps(origin)}))
    print(
        f"{path.name}: logits {logits.shape}, largest {np.abs(logits).max():.2f}, router margin {margin:.1e}"
    )


def load_reference(config: dict[str, Any], weights: dict[str, np.ndarray]) -> torch.nn.Module:
    """The transformers model of `config` with exactly `weights`, read from a temporary checkpoint folder."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config))
        save_file(weights, Path(folder) / "model.safetensors", metadata={"format": "pt"})
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=torch.float32,
            attn_implementation="eager",
            experts_implementation="eager",
            output_loading_info=True,
        )
    model, report = loaded
    problems = {kind: names for kind, names in report.items() if names}
    if problems:
        raise SystemExit(f"transformers did not take every tensor as it is: {problems}")
    return model.eval()


def run_reference(model: torch.nn.Module, tokens: np.ndarray, top_k: int | None) -> tuple[np.ndarray, float]:
    """Logits (batch, time, vocab) float32, and the smallest lead of a chosen expert over one left out."""
    with torch.no_grad():
        out = model(torch.from_numpy(tokens).long(), use_cache=False, output_router_logits=top_k is not None)
    margin = float("inf")
    if top_k is not None:
        for router_logits in out.router_logits:
            ranked = router_logits.sort(dim=-1, descending=True).values
            margin = min(margin, float((ranked[:, top_k - 1] - ranked[:, top_k]).min()))
    return out.logits.float().numpy(), margin


if __name__ == "__main__":
    sys.exit(main())

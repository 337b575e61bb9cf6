"""What the tensors of a Qwen2 model are called in GGUF files."""

import re

_OUTSIDE = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}

#: Modules of a layer. Rows of q and k stand in Hugging Face's order: this family rotates halves,
#: so that, unlike Llama's, they were not permuted when the file was written.
_IN_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "mlp.gate": "ffn_gate_inp",
    "mlp.switch_mlp.gate_proj": "ffn_gate_exps",
    "mlp.switch_mlp.up_proj": "ffn_up_exps",
    "mlp.switch_mlp.down_proj": "ffn_down_exps",
    "mlp.shared_expert_gate": "ffn_gate_inp_shexp",
    "mlp.shared_expert.gate_proj": "ffn_gate_shexp",
    "mlp.shared_expert.up_proj": "ffn_up_shexp",
    "mlp.shared_expert.down_proj": "ffn_down_shexp",
}

_PARAMETER = re.compile(r"model\.layers\.(\d+)\.(.+)\.(weight|bias)")


def gguf_name(parameter: str) -> str:
    """The GGUF name of a parameter of the MLX model, experts stacked as `switch_mlp`."""
    if parameter in _OUTSIDE:
        return _OUTSIDE[parameter]
    match = _PARAMETER.fullmatch(parameter)
    assert match, parameter
    layer, module, kind = match.groups()
    return f"blk.{layer}.{_IN_LAYER[module]}.{kind}"

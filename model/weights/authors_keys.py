"""An authors' checkpoint is one of the public training code of Context-CrackNet (`best_attention.pth`).

Its tensors have other names than ours; this is the map from theirs to ours.
"""

from collections.abc import Mapping

from torch import Tensor

# Their prefix -> ours. What else differs has no parameters (the sum of two dropouts, the double ReLU in the
# gate, how x3 is flattened), so the two networks compute the same once the tensors are in place.
_PREFIXES = {
    "encoder.conv1": "stem.0",
    "encoder.bn1": "stem.1",
    "encoder.layer1": "layer1",
    "encoder.layer2": "layer2",
    "encoder.layer3": "layer3",
    "encoder.layer4": "layer4",
    "linformer.norm1": "cagm.norm1",
    "linformer.norm2": "cagm.norm2",
    "linformer.self_attn.q_proj": "cagm.attention.query",
    "linformer.self_attn.k_proj": "cagm.attention.key",
    "linformer.self_attn.v_proj": "cagm.attention.value",
    "linformer.self_attn.out_proj": "cagm.attention.out",
    "linformer.feed_forward.0": "cagm.feed_forward.0",
    "linformer.feed_forward.2": "cagm.feed_forward.3",  # ours has the dropout before the second layer
    "final": "head",
}
for _stage in range(4):  # they count stages from the image, we from the deepest map
    _PREFIXES |= {
        f"up{4 - _stage}": f"decoder.{_stage}.up",
        f"attention{3 - _stage}.W_x": f"decoder.{_stage}.rfem.encoder",
        f"attention{3 - _stage}.W_g": f"decoder.{_stage}.rfem.decoder",
        f"attention{3 - _stage}.psi.1": f"decoder.{_stage}.rfem.psi",
        f"conv{3 - _stage}.conv.0": f"decoder.{_stage}.refine.0.0",
        f"conv{3 - _stage}.conv.1": f"decoder.{_stage}.refine.0.1",
        f"conv{3 - _stage}.conv.3": f"decoder.{_stage}.refine.1.0",
        f"conv{3 - _stage}.conv.4": f"decoder.{_stage}.refine.1.1",
    }

# Linformer's E and F: theirs are bare (T, k) matrices, ours the (k, T) weights of linear layers.
_TRANSPOSED = {
    "linformer.self_attn.proj_E": "cagm.attention.project_key.weight",
    "linformer.self_attn.proj_F": "cagm.attention.project_value.weight",
}


def is_authors(tensors: Mapping[str, Tensor]) -> bool:
    """Whether the tensor names are those of the authors' code."""
    return "encoder.layer1.0.conv1.weight" in tensors and "final.weight" in tensors


def from_authors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under the names of `ContextCrackNet`.

    Raises KeyError with the name of a tensor that the authors' network does not have.
    """
    renamed = {}
    for name, tensor in tensors.items():
        if name in _TRANSPOSED:
            renamed[_TRANSPOSED[name]] = tensor.transpose(0, -1)
            continue
        prefix = next((p for p in _PREFIXES if name.startswith(p + ".")), None)
        if prefix is None:
            raise KeyError(name)
        renamed[_PREFIXES[prefix] + name.removeprefix(prefix)] = tensor
    return renamed

"""Makes `import torchvision` work beside a torch build that its compiled operators do not fit.

Import this module before torchvision or timm. Where torchvision is whole it does nothing but import it.

PyPI's torchvision wheel is compiled against CUDA torch. Beside a CPU-only torch its library `_C` cannot be
loaded. torchvision goes on without it, but then `torchvision._meta_registrations` registers shape functions
for two operators that only `_C` defines, and the import fails with "operator torchvision::nms does not
exist". It is enough to define the two names; the operators themselves are not needed here. torchvision's
models and transforms are plain Python over torch and need nothing else.
"""

import torch

# Schemas as in torchvision/csrc/ops/nms.cpp and csrc/ops/quantized/cpu/qnms_kernel.cpp.
SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

# torch forgets the definitions when the Library object is collected.
_definitions: list[torch.library.Library] = []


def define_missing() -> tuple[str, ...]:
    """Define those of the two operators that torch does not know yet, and return their names."""
    missing = tuple(
        schema for schema in SCHEMAS if not hasattr(torch.ops.torchvision, schema.partition("(")[0])
    )
    # FRAGMENT, because the namespace may hold other operators already.
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in missing:
        library.define(schema)
    _definitions.append(library)
    return tuple(schema.partition("(")[0] for schema in missing)


try:  # torchvision comes first: to define an operator twice would be an error as well
    import torchvision
except RuntimeError as error:
    if "torchvision::" not in str(error):
        raise
    define_missing()
    import torchvision  # noqa: F401

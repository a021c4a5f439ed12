"""Makes `import torchvision` work beside a torch build that its compiled operators do not fit.

Import this module before torchvision or timm. Where torchvision is whole it does nothing but import it.

PyPI's torchvision wheel is compiled against CUDA torch. Beside a CPU-only torch its `_C` library does not
load; torchvision itself shrugs that off, but then `torchvision._meta_registrations` registers shape functions
for two operators that only `_C` would have defined, and the import dies with "operator torchvision::nms does
not exist". Defining the two names (not the operators: nobody here suppresses boxes) is enough. torchvision's
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
    """Defines those of the two operators that torch does not know yet and returns their names."""
    missing = tuple(
        schema for schema in SCHEMAS if not hasattr(torch.ops.torchvision, schema.partition("(")[0])
    )
    # FRAGMENT, because the namespace may hold other operators already.
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in missing:
        library.define(schema)
    _definitions.append(library)
    return tuple(schema.partition("(")[0] for schema in missing)


try:  # torchvision must get the first chance: defining an operator twice is an error as well
    import torchvision
except RuntimeError as error:
    if "torchvision::" not in str(error):
        raise
    define_missing()
    import torchvision  # noqa: F401

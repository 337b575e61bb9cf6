"""C++ translation units from Metal source: the source as it stands, and a function that calls the kernel."""

import re
from collections.abc import Iterable, Mapping

from .source import Parameter, find_function, parse_parameters, share_declarations, strip_comments

UTILITIES = '#include "mlx/backend/metal/kernels/utils.h"\n'

_ENTRY = """
extern "C" __attribute__((visibility("default"))) int metal_host_launch(
    void* const* buffers, const metal_host::Launch* launch, metal_host::Report* report) {{
  {constants}
  const metal_host::Kernel threads = [](void* const* buffers, const metal_host::Thread& t) {{
    {kernel}({arguments});
  }};
  return metal_host::run(threads, buffers, *launch, *report);
}}
"""


def generated_unit(name: str, source: str, label: str) -> str:
    """The unit for a kernel that MLX generated. Errors name the lines of its body as `label:line`."""
    definition, instance = split_instance(name, source)
    definition = share_declarations(strip_comments(definition))
    function = find_function(definition, name)
    head, body = definition[: function.body_start], definition[function.body_start :]
    lines = f'#line 1 "{label}.header"\n{head}\n#line 1 "{label}"{body}\n#line 1 "entry"\n'
    return UTILITIES + lines + entry(instance, parse_parameters(function.parameters))


def split_instance(name: str, source: str) -> tuple[str, str]:
    """The source without the instantiation at its end, and what is instantiated: `name<float, 4>`."""
    match = re.search(
        r'\ntemplate \[\[host_name\("[^"]*"\)\]\] \[\[kernel\]\] decltype\((.*)\) \1;\s*$', source
    )
    return (source[: match.start()], match[1]) if match else (source, name)


def entry(kernel: str, parameters: Iterable[Parameter], constants: Mapping[str, int] | None = None) -> str:
    """The function that launches `kernel`. Buffers are taken in the order of the parameters."""
    arguments: list[str] = []
    buffers = 0
    for parameter in parameters:
        if parameter.buffer is None:
            arguments.append(f"metal_host::attribute(t.{parameter.attribute})")
        else:
            kind = "Reference" if parameter.by_reference else "Pointer"
            arguments.append(f"metal_host::{kind}{{buffers[{buffers}]}}")
            buffers += 1
    assignments = " ".join(f"{name} = {value};" for name, value in (constants or {}).items())
    return _ENTRY.format(kernel=kernel, arguments=", ".join(arguments), constants=assignments)

"""The names that `import crackpipe` gives out, and that it costs nothing."""

import ast
import inspect
import subprocess
import sys

import pytest
from paths import ROOT

import crackpipe

HEAVY = {"torch", "geopandas", "pandas", "numpy", "pyarrow", "xarray", "dask", "zarr", "rasterio", "shapely"}


def loaded_after(code: str) -> set[str]:
    """Top-level modules that a fresh Python holds after some code."""
    script = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_import_brings_nothing_heavy() -> None:
    assert loaded_after("import crackpipe\ndir(crackpipe)") & HEAVY == set()


def test_neither_a_result_nor_a_run_brings_torch_or_geopandas_before_they_are_used() -> None:
    assert loaded_after("import crackpipe; crackpipe.open, crackpipe.run") & {"torch", "geopandas"} == set()
    assert "torch" not in loaded_after("import crackpipe; crackpipe.fit_width, crackpipe.measure_width")


@pytest.mark.parametrize("name", crackpipe.__all__)
def test_each_name_is_there_and_documented(name: str) -> None:
    assert name in dir(crackpipe)
    found = getattr(crackpipe, name)
    assert name == "__version__" or (found.__name__ == name and inspect.getdoc(found))


def test_type_checkers_know_the_same_names() -> None:
    tree = ast.parse((ROOT / "crackpipe" / "__init__.py").read_text())
    (typed,) = [
        node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    for_types = {
        alias.asname: (node.module or "").removeprefix("crackpipe.pipeline.")
        for node in typed.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert for_types == crackpipe._GIVEN_OUT


def test_another_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="module 'crackpipe' has no attribute 'opne'"):
        crackpipe.opne  # type: ignore[attr-defined] # noqa: B018

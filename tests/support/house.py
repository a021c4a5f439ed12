"""The rules of the house, held against the source files of a tree.

Each rule takes the house and gives back sentences, one for each place that breaks it. All imports count:
those at the head of a file, inside a function and under `TYPE_CHECKING`.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

FRONT_DOOR = "crackpipe/__init__.py"
"""It gives out names of the whole house, but imports them only when they are asked for. So its imports are no
arrows, while others import the version from it. `tests/test_door.py` watches it instead."""

Floors = Sequence[Sequence[str]]
"""From top to bottom. A floor holds folders (`pipeline/masks`) and files that lie lower than their folder."""


@dataclass(frozen=True)
class Import:
    """One name that a file imports from the house."""

    source: str
    """Path of the file that imports, relative to the root."""
    line: int
    target: str
    """Path of the file that is imported."""
    name: str
    """The name that is taken from `target`; empty where it is the file itself."""
    local: str
    """What the name is called in `source`; empty where it has none."""

    @property
    def arrow(self) -> str:
        """The import as the beginning of a sentence."""
        return f"{self.source}:{self.line} imports {self.target}"

    @property
    def path(self) -> str:
        """`target`, and after a colon the name that is taken from it."""
        return f"{self.target}:{self.name}" if self.name else self.target


class House:
    """The files of `pipeline/`, `model/` and `commands/`, `cli.py` and the two files of `crackpipe/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        files = [file for top in ("pipeline", "model", "commands") for file in (root / top).rglob("*.py")]
        files += [root / "cli.py", root / "crackpipe/__init__.py", root / "crackpipe/__main__.py"]
        self.files = sorted(file.relative_to(root).as_posix() for file in files)
        self._module = {_module_of(file): file for file in self.files}

    @cached_property
    def trees(self) -> dict[str, ast.Module]:
        """The syntax of each file."""
        return {file: ast.parse((self.root / file).read_text()) for file in self.files}

    @cached_property
    def imports(self) -> list[Import]:
        """All imports between files of the house."""
        files = [file for file in self.files if file != FRONT_DOOR]
        return [each for file in files for each in self.imports_of(file, self.trees[file])]

    def imports_of(self, source: str, tree: ast.Module) -> Iterator[Import]:
        """What a file, in the house or outside, imports from the house."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield from self._import(source, node.lineno, alias.name, "", alias.asname or "")
            elif isinstance(node, ast.ImportFrom):
                module = _absolute(source, node)
                for alias in node.names:
                    yield from self._import(
                        source, node.lineno, module, alias.name, alias.asname or alias.name
                    )
            elif (name := _imported_by_call(node)) is not None:
                yield from self._import(source, node.lineno, name, "", "")

    def _import(self, source: str, line: int, module: str, name: str, local: str) -> Iterator[Import]:
        if f"{module}.{name}" in self._module:
            yield Import(source, line, self._module[f"{module}.{name}"], "", local)
        elif module in self._module:
            yield Import(source, line, self._module[module], name, local)


def _module_of(file: str) -> str:
    parts = PurePosixPath(file).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts if parts[:1] == ("crackpipe",) else ("crackpipe", *parts))


def _absolute(source: str, node: ast.ImportFrom) -> str:
    """The module of a `from ... import`, also where it begins with dots."""
    if not node.level:
        return node.module or ""
    folder = PurePosixPath("crackpipe", source).parts[: -node.level]
    return ".".join([*folder, *([node.module] if node.module else [])])


def _imported_by_call(node: ast.AST) -> str | None:
    """The module that `importlib.import_module("...")` names."""
    if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
        return None
    function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return str(node.args[0].value) if function in ("import_module", "__import__") else None


# ---- floors


def on_no_floor(house: House, floors: Floors) -> list[str]:
    """Folders that hold files and are not in the table, and entries of the table without a file."""
    entered = {entry for floor in floors for entry in floor}
    places = {place_of(file, entered) for file in house.files}
    return [
        f"{place} is on no floor: enter it in FLOORS in tests/test_house.py, below all that import it and "
        f"above all that it imports"
        for place in sorted(places - entered)
    ] + [f"{entry} in FLOORS does not exist: take it out" for entry in sorted(entered - places)]


def upwards(house: House, floors: Floors) -> list[str]:
    """Imports that do not go to the same folder or to a lower floor."""
    level = {entry: number for number, floor in enumerate(floors) for entry in floor}
    sentences = []
    for each in house.imports:
        here, there = place_of(each.source, level), place_of(each.target, level)
        if here in level and there in level and here != there and level[there] <= level[here]:
            sentences.append(f"{each.arrow}, but {there} does not lie below {here}")
    return sentences


def place_of(file: str, entered: Mapping[str, int] | set[str]) -> str:
    """The entry of the table that a file stands under: the file itself, or its folder."""
    return file if file in entered else PurePosixPath(file).parent.as_posix()


def between_rooms(house: House, rooms: Sequence[str], permitted: Mapping[str, Sequence[str]]) -> list[str]:
    """Imports from room to room.

    `permitted` says for a room, or for `*`, which files of other rooms it may import; a name after a colon
    permits that name alone.
    """
    sentences = []
    for each in house.imports:
        here, there = _room_of(each.source, rooms), _room_of(each.target, rooms)
        allowed = (*permitted.get(here or "", ()), *permitted["*"])
        if here and there and here != there and each.target not in allowed and each.path not in allowed:
            sentences.append(f"{each.arrow}, but rooms give each other plain values")
    return sentences


def _room_of(file: str, rooms: Sequence[str]) -> str | None:
    return next((room for room in rooms if file.startswith(f"{room}/")), None)


def model_to_pipeline(house: House) -> list[str]:
    """Imports from the model to anything else of the house."""
    return [
        f"{each.arrow}, but the model knows nothing of what uses it"
        for each in house.imports
        if each.source.startswith("model/") and not each.target.startswith(("model/", "crackpipe/"))
    ]


def command_to_command(house: House) -> list[str]:
    """Imports between commands, but for their common options."""
    return [
        f"{each.arrow}, but commands share commands/options.py alone"
        for each in house.imports
        if each.source.startswith("commands/")
        and each.target.startswith("commands/")
        and each.target != "commands/options.py"
    ]


def circles(house: House) -> list[str]:
    """Files that import each other, directly or through others."""
    arrows: dict[str, set[str]] = {file: set() for file in house.files}
    for each in house.imports:
        arrows[each.source].add(each.target)
    reached = {file: _reached(arrows, file) for file in house.files}
    around = {
        tuple(sorted(other for other in reached[file] if file in reached[other]))
        for file in house.files
        if file in reached[file]
    }
    return [f"{', '.join(circle)} import each other in a circle" for circle in sorted(around)]


def _reached(arrows: Mapping[str, set[str]], start: str) -> set[str]:
    """All files that a file imports, directly or through others."""
    reached: set[str] = set()
    ahead = set(arrows[start])
    while ahead:
        reached |= ahead
        ahead = {target for file in ahead for target in arrows[file]} - reached
    return reached


# ---- one name for one thing


def re_exports(house: House, given_out: Sequence[str], outside: Mapping[str, ast.Module]) -> list[str]:
    """Names taken from a file that does not define them, in the house and in the files `outside`.

    `given_out` are the names, each as `file:name`, that a file may give out though another defines them.
    """
    known = {file: _defined(tree) for file, tree in house.trees.items()}
    imported = {file: _imported(tree) for file, tree in house.trees.items()}
    sentences = []
    for source, tree in {**house.trees, **outside}.items():
        imports = list(house.imports_of(source, tree))
        taken = [each for each in imports if each.name] + list(_attributes(tree, imports, imported))
        for each in taken:
            if each.name not in known[each.target] and each.path not in given_out:
                sentences.append(
                    f"{each.arrow} for {each.name}, which is not defined there: import it from where it is"
                )
    return sentences


def _defined(tree: ast.Module) -> set[str]:
    """Names that a file defines at its top level."""
    names = {"__doc__", "__file__", "__name__"}
    ahead: list[ast.AST] = list(tree.body)
    while ahead:
        node = ahead.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        else:
            ahead += ast.iter_child_nodes(node)
    return names


def _imported(tree: ast.Module) -> set[str]:
    """Names that a file imports, from the house or from elsewhere."""
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {alias.asname or alias.name for node in statements for alias in node.names}


def _attributes(
    tree: ast.Module, imports: Sequence[Import], imported: Mapping[str, set[str]]
) -> Iterator[Import]:
    """Names that are reached through an imported file (`module.name`) and that this file itself imports."""
    files = {each.local: each for each in imports if not each.name and each.local}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in files:
            target = files[node.value.id].target
            if node.attr in imported[target]:
                yield Import(files[node.value.id].source, node.lineno, target, node.attr, "")


# ---- sizes


def folders_too_full(files: Sequence[str], most: Mapping[str, int]) -> list[str]:
    """Folders with more files than `most` says of them, or of `*`; `__init__.py` does not count."""
    counts: dict[str, int] = {}
    for file in map(PurePosixPath, files):
        if file.name != "__init__.py":
            counts[file.parent.as_posix()] = counts.get(file.parent.as_posix(), 0) + 1
    return [
        f"{folder} holds {count} files, more than {most.get(folder, most['*'])}"
        for folder, count in sorted(counts.items())
        if count > most.get(folder, most["*"])
    ]


def files_too_long(house: House, most_lines: int) -> list[str]:
    """Files of more than `most_lines` lines."""
    lines = {file: len((house.root / file).read_text().splitlines()) for file in house.files}
    return [
        f"{file} has {count} lines, more than {most_lines}"
        for file, count in lines.items()
        if count > most_lines
    ]


def functions_too_long(house: House, most_lines: int) -> list[str]:
    """Functions of more than `most_lines` lines, from `def` to the last line."""
    return [
        f"{file}:{node.lineno} {node.name} has {lines} lines, more than {most_lines}"
        for file, tree in house.trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > most_lines
    ]

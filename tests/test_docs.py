"""Pages lead where they say: links in Markdown, and pages that code and scripts name."""

import re
import subprocess
from pathlib import Path

import pytest
from paths import ROOT

LINK = re.compile(r"\]\(([^)\s]+)\)")
PAGE = re.compile(r"docs/[\w./-]+\.(?:md|json|png|jpg|txt)")
CODE_PATH = re.compile(r"\b(?:pipeline|model|commands|tests)/(?:\w+/)*(?:\w+\.py)?")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def tracked(*patterns: str) -> list[Path]:
    """Files of the repository. An unpacked sdist has no history: there, those beside this test."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    return [file for pattern in patterns for file in ROOT.rglob(pattern) if ".venv" not in file.parts]


def anchors(page: Path) -> set[str]:
    """What a heading is called in an address: lower case, no punctuation, spaces as hyphens."""
    titles = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(page: Path) -> list[str]:
    """Relative links of a page that lead to no file or no heading."""
    broken = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", tracked("*.md"), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    assert broken_links(page) == []


def test_a_link_to_nowhere_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n\n[a](page.md) [b](#here) [c](gone.md) ![d](gone.png) [e](page.md#there) [f](https://x.org)"
    )
    assert broken_links(page) == ["gone.md", "gone.png", "page.md#there"]


def test_pages_that_code_and_scripts_name_exist() -> None:
    named = {
        (str(file.relative_to(ROOT)), page)
        for file in tracked("*.py", "*.md", "*.toml", "*.sh", "*.yml", "Makefile")
        if file != Path(__file__)
        for page in PAGE.findall(file.read_text(encoding="utf-8"))
    }
    assert named
    # the index tells holders of older weights where the page that these name is now
    missing = {(file, page) for file, page in named if not (ROOT / page).exists()}
    assert missing == {("docs/index.md", "docs/training.md")}


def test_every_page_stands_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if page != "index.md" and f"]({page})" not in index] == []


def paths_in_the_architecture() -> set[str]:
    return set(CODE_PATH.findall((ROOT / "docs" / "how" / "architecture.md").read_text(encoding="utf-8")))


def test_each_path_of_the_architecture_exists() -> None:
    paths = paths_in_the_architecture()
    assert len(paths) > 50
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_the_architecture_names_each_folder_of_the_house() -> None:
    inits = [init for top in ("pipeline", "model", "commands") for init in (ROOT / top).rglob("__init__.py")]
    folders = {f"{init.parent.relative_to(ROOT).as_posix()}/" for init in inits}
    assert folders - paths_in_the_architecture() == set()


def test_the_tests_that_security_names_exist() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    files, names = set(re.findall(r"`([\w/]+\.py)`", text)), set(re.findall(r"`(test_\w+)`", text))
    assert files
    written = {file: (ROOT / "tests" / file).read_text(encoding="utf-8") for file in files}
    assert {name for name in names if not any(f"def {name}(" in each for each in written.values())} == set()


def test_the_paths_that_contributing_names_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = {path for path in CODE_PATH.findall(text) if not re.search(r"/(?:ROOM|NAME)", path)}
    assert len(paths) > 10
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []

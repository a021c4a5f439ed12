"""The command line, the configuration and the keywords of `crackpipe.run` are one and the same."""

import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, get_type_hints

import click
import pytest
from click.testing import CliRunner
from paths import ROOT
from users import as_nobody

from crackpipe.cli import cli
from crackpipe.commands.run import run as command
from crackpipe.pipeline.config import GONE, Config, as_toml
from crackpipe.pipeline.door.options import RunOptions
from crackpipe.pipeline.errors import ConfigurationError, UsageError
from crackpipe.pipeline.request import FLAGS, Request, asked, configured

NO_KEYWORDS = {"dry_run", "graph", "show_config"}
"""Options that show something instead of running."""
ARGUMENTS = {"survey", "config_file"}
"""Named in the signature of `crackpipe.run` itself."""
OTHER_TYPE = {str | None: str | PathLike[str] | None, tuple[str, ...]: Sequence[str] | None}
"""What a keyword takes where it is wider than what the configuration holds."""
PATHS = {"out", "region", "weights"}

SOME: dict[str, Any] = {
    "out": "there", "region": "roads.gpkg", "exclude": ("*.jpg", "thumbs"), "gpus": 0, "device": "cpu",
    "workers": 3, "scheduler": "tcp://h:1", "weights": "full", "precision": "fp32", "batch": 4, "halo_px": 16,
    "threshold": 0.3, "screen": 0.99, "crs": "EPSG:25832", "assume_crs": "EPSG:4326", "assume_gsd_mm": 1.5,
    "allow_gsd": True, "collar": "keep", "allow_place": True, "verify_inputs": True, "keep_logs": 7,
    "staging_gb": 5.5,
    "exports": ("gpkg", "csv"),
}  # fmt: skip
"""A value for each option of the command that is a key of the configuration. GPUs exclude a device."""


def test_keywords_are_the_keys_of_the_configuration_and_the_flags() -> None:
    known = get_type_hints(RunOptions)
    assert list(known) == [*get_type_hints(Config), *FLAGS]
    for name, kind in get_type_hints(Config).items():
        taken = OTHER_TYPE.get(kind, kind | None) if name in PATHS or kind == tuple[str, ...] else kind | None
        assert known[name] == (str | PathLike[str] | None if name in PATHS else taken), name
    assert {known[name] for name in FLAGS} == {bool}


def test_every_option_of_the_command_is_a_keyword() -> None:
    names = {parameter.name for parameter in command.params} - set(GONE)
    assert names - NO_KEYWORDS - ARGUMENTS <= set(get_type_hints(RunOptions))
    assert names >= NO_KEYWORDS | ARGUMENTS | set(FLAGS)
    assert names - NO_KEYWORDS - ARGUMENTS - set(FLAGS) == set(SOME)  # so that the next test misses none


def test_the_readme_names_the_options_that_are_no_key() -> None:
    (sentence,) = re.findall(
        r"Every option is also a key.*?\.\n", (ROOT / "README.md").read_text(), re.DOTALL
    )
    named = {word.replace("-", "_") for word in re.findall(r"`--([a-z-]+)`", sentence)}
    assert named == {*NO_KEYWORDS, *FLAGS, "config"}


def words_of(option: click.Option, value: Any) -> list[str]:
    """The words of the command line that give an option this value."""
    if option.is_flag:
        return [option.opts[0]] if value else []
    if option.name == "exports":
        value = ",".join(value)
    return [word for each in (value if option.multiple else [value]) for word in (option.opts[0], str(each))]


def test_the_command_line_and_python_mean_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("crackpipe.toml").write_text("seam_mm = 11\nhalo_px = 8\n")
    monkeypatch.setenv("CRACKPIPE_SPUR_PX", "12.5")
    options = {option.name: option for option in command.params if isinstance(option, click.Option)}
    words = [word for name, value in SOME.items() for word in words_of(options[name], value)]
    shown = CliRunner().invoke(cli, ["run", "survey", *words, "--show-config"])
    assert shown.exit_code == 0, shown.output
    assert shown.output == as_toml(configured(SOME))
    assert {"seam_mm = 11.0", "halo_px = 16", "spur_px = 12.5"} <= set(shown.output.splitlines())


def test_nothing_given_means_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "survey").mkdir()
    wanted = Request((tmp_path / "survey",), tmp_path / "survey-cracks", Config())
    assert asked([Path("survey")], {}) == wanted
    assert asked([Path("survey")], {"workers": None, "restart": False}) == wanted
    assert asked([Path("survey")], {"restart": True}).restart
    assert asked([Path("list.txt")], {}).out == tmp_path / "list-cracks"


@pytest.mark.parametrize(
    ("given", "source"),
    [
        ("..", "north"),
        (".", "north/lane1"),
        ("../lane2/..", "north"),
        ("../../link", "link"),  # the name that was typed
        ("../../link/../north", "elsewhere/north"),  # where the system leads
    ],
)
def test_the_result_lies_beside_the_survey_however_that_is_named(
    given: str, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("north/lane1", "north/lane2", "elsewhere/south", "elsewhere/north"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "link").symlink_to("elsewhere/south")
    monkeypatch.chdir(tmp_path / "north" / "lane1")
    request = asked([given], {})
    assert request.sources == (tmp_path / source,)
    assert request.out == tmp_path / f"{source}-cracks"


def test_the_root_has_no_name_for_a_result() -> None:
    with pytest.raises(UsageError, match="/ has no name to call the result by: give --out DIR"):
        asked(["/"], {})
    assert asked(["/"], {"out": "result"}).sources == (Path("/"),)


def test_in_a_folder_that_may_not_be_entered_no_file_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`runuser` starts in root's own folder."""
    tmp_path.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    Path("crackpipe.toml").write_text("halo_px = 8\n")
    with as_nobody():
        assert configured({}) == Config()


def test_paths_and_lists_are_taken(tmp_path: Path) -> None:
    found = configured({"region": tmp_path / "a.gpkg", "exclude": ["*.jpg"]})
    assert (found.region, found.exclude) == (str(tmp_path / "a.gpkg"), ("*.jpg",))
    (tmp_path / "c.toml").write_text("halo_px = 8\n")
    assert configured({}, tmp_path / "c.toml").halo_px == 8


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"halo": 32}, r"unknown key 'halo'. Did you mean 'halo_px'\?"),
        ({"workers": "2"}, "workers is '2', but must be of type"),
        ({"exclude": "*.jpg"}, "must be of type list of strings"),
        ({"halo_px": 300}, "halo_px is 300, but must be from 0 to 192"),
    ],
)
def test_a_wrong_keyword_is_an_error_in_words(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        asked([Path("survey")], options)


def test_several_surveys_need_a_folder_for_the_result() -> None:
    with pytest.raises(UsageError, match="need --out DIR"):
        asked([Path("a"), Path("b")], {})


def test_what_is_gone_is_an_error_that_names_what_came_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = "there is no cascade any more; `screen` (--screen RECALL) took its place"
    shown = CliRunner().invoke(cli, ["run", "survey", "--cascade", "0.04"])
    assert isinstance(shown.exception, ConfigurationError)
    assert str(shown.exception).endswith(f"{told}: the share of cracks to keep, as 0.99")
    with pytest.raises(ConfigurationError, match=r"options: there is no cascade any more; `screen`"):
        configured({"cascade": 0.04})
    monkeypatch.setenv("CRACKPIPE_CASCADE", "0.04")
    with pytest.raises(ConfigurationError) as caught:
        configured({})
    assert str(caught.value).startswith(f"CRACKPIPE_CASCADE: {told}")
    monkeypatch.delenv("CRACKPIPE_CASCADE")
    Path("crackpipe.toml").write_text("cascade = 0.04\n")
    with pytest.raises(ConfigurationError) as caught:
        configured({})
    assert str(caught.value).startswith(f"crackpipe.toml: {told}")

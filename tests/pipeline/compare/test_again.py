"""The command that does a year again: options as `crackpipe run` has them, words as a shell takes them."""

from pathlib import Path

from crackpipe.commands.run import run
from crackpipe.pipeline.compare.again import OF_MACHINE, OPTIONS, again, options_in
from crackpipe.pipeline.config import Config


def test_every_key_with_an_option_goes_by_it() -> None:
    keys = vars(Config()).keys() - {*OF_MACHINE}
    assert {each.name: each.opts[0] for each in run.params if each.name in keys} == OPTIONS


def test_only_what_differs_from_the_defaults_is_named() -> None:
    said = {"allow_gsd": True, "exports": [], "gap_px": 30.0, "workers": 4, "out": "x", "cascade": 0.9}
    assert options_in(said) == {"allow_gsd": True, "exports": ()}


def test_text_of_commit_5f0e436_is_read_too() -> None:
    assert options_in(
        {"assume_crs": "EPSG:25832", "contrast": "None", "exclude": "()", "gap_px": "10.0"}
    ) == {
        "assume_crs": "EPSG:25832",
        "gap_px": "10.0",
    }


def test_the_command_is_quoted_for_a_shell() -> None:
    options = {"allow_gsd": "True", "exports": (), "exclude": ("a*", "b"), "gap_px": 10.0, "crs": None}
    assert again(["s 3", "t"], Path("o'k"), options) == (
        "CRACKPIPE_GAP_PX=10.0 crackpipe run 's 3' t --out 'o'\"'\"'k' --allow-gsd --exclude 'a*' "
        "--exclude b --exports none"
    )

"""Classes have names and kinds, which weights keep."""

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from colours import save_colour_weights

from crackpipe.cli import cli
from crackpipe.model.networks.context_cracknet import ContextCrackNetLite
from crackpipe.model.render.labels import LABELS
from crackpipe.model.weights import metadata
from crackpipe.model.weights.kinds import parse
from crackpipe.model.weights.read import load, save


def test_classes_are_parsed_with_their_kinds() -> None:
    assert parse("crack") == (("crack",), ("crack",))
    assert parse(",".join(LABELS)) == (LABELS, ("crack", "line", "line", "area"))
    assert parse("alligator:crack, kerb:line") == (("alligator", "kerb"), ("crack", "line"))


@pytest.mark.parametrize("text", ["", "crack,", "kerb", "crack,kerb:edge", "crack,crack", "joint,lane_paint"])
def test_classes_that_say_too_little_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="crack"):
        parse(text)


def test_kinds_are_read_back_and_all_are_cracks_where_missing(tmp_path: Path) -> None:
    path = save_colour_weights(tmp_path / "w.safetensors")
    loaded = load(path)
    assert (loaded.classes, loaded.kinds) == (("crack", "joint", "lane_paint"), ("crack", "line", "area"))
    assert "kinds" not in loaded.extra
    described: dict[str, Any] = {"classes": ["a", "b"], "training_gsd_mm": 1.0, "threshold": 0.5}
    described |= {"contrast_c0": 60.0, "data": "none", "licence": "none", "metrics": {}}
    save(path, ContextCrackNetLite(3), described)
    assert load(path).kinds == ("crack", "crack")
    for wrong in (["crack"], ["line", "area"], ["crack", "kerb"], "crack"):
        with pytest.raises(metadata.WeightsError, match=r"'kinds' is .*set a list of 2"):
            save(path, ContextCrackNetLite(3), described | {"kinds": wrong})


def test_a_checkpoint_of_several_classes_is_imported_with_their_names(tmp_path: Path) -> None:
    torch.save(ContextCrackNetLite(3).state_dict(), tmp_path / "w.pth")
    out = tmp_path / "w.safetensors"
    command = ["weights", "import", str(tmp_path / "w.pth"), "--out", str(out), "--classes"]
    assert CliRunner().invoke(cli, [*command, "crack,kerb:line"]).exit_code == 0
    assert (load(out).classes, load(out).kinds) == (("crack", "kerb"), ("crack", "line"))
    for wrong, said in (("crack,joint,lane_paint", "do not fit"), ("crack,kerb", "write NAME:KIND")):
        result = CliRunner().invoke(cli, [*command, wrong])
        assert said in str(result.exception)

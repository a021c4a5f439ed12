"""What a finished image was made from, as markers of today and of the first form tell it."""

import os
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow.parquet as pq
import pytest
from first_outputs import TUNED, request, unpack
from helpers import tree_hash, write_scene

from crackpipe.model.predict.resolve import facts_of
from crackpipe.model.render.picture import clean_scene
from crackpipe.pipeline import fingerprint
from crackpipe.pipeline.config import WITHOUT_EFFECT, Config
from crackpipe.pipeline.plan import Plan
from crackpipe.pipeline.publish import _with_todays_dates
from crackpipe.pipeline.request import Request, make_job
from crackpipe.pipeline.run import dry_run, run
from crackpipe.pipeline.state.markers import read_marker
from crackpipe.pipeline.state.output import Output
from crackpipe.pipeline.storage import sealed
from crackpipe.pipeline.summary import summary_lines
from crackpipe.pipeline.survey.load import load_survey

TODAY: dict[str, Any] = {"file size": 10, "weights": "abc", "configuration": {}, "algorithm": 3}
DIGEST_OF_DEFAULTS = "6233eff94d4cfcc1747f06f6"
"""As commit 5f0e436 wrote it."""
DIGEST_OF_TODAYS_DEFAULTS = "f17e04da577d11cb0f1de0b6"
"""With the keys that came since."""


def reasons(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    first_form = fingerprint.first_form_of(now["configuration"])
    return fingerprint.reasons_to_run({"fingerprint": before}, now, first_form)


def configured(configuration: Any) -> dict[str, Any]:
    return TODAY | {"configuration": configuration}


def first_form(digest: str) -> dict[str, Any]:
    return TODAY | {"configuration": digest, "algorithm": [3, 2]}


def test_reasons_name_what_changed() -> None:
    assert reasons(TODAY, TODAY) == []
    assert reasons(TODAY, TODAY | {"weights": "x"}) == ["weights changed (abc -> x)"]
    assert fingerprint.reasons_to_run(None, TODAY, {}) == ["not done yet"]


def test_reasons_name_embedded_weights_and_how_to_keep_the_old_ones() -> None:
    old, new = (facts_of(name).network_sha256 for name in ("lite-2025", "lite"))
    assert reasons(TODAY | {"weights": old}, TODAY | {"weights": new}) == [
        f"weights lite changed ({old[:12]} = lite-2025, still there with `--weights lite-2025` -> {new[:12]})"
    ]


def test_reasons_name_the_key_of_the_configuration_and_both_values() -> None:
    assert reasons(configured({"halo_px": 16}), configured({"halo_px": 24, "contrast": 60.0})) == [
        "contrast changed from null to 60.0",
        "halo_px changed from 16 to 24",
    ]
    assert reasons(configured({"halo_px": 16}), TODAY) == ["halo_px changed from 16 to 32"]


def test_hashes_of_contents_that_nobody_asks_for_any_more_are_no_reason() -> None:
    hashed = TODAY | {"file content": "def"}
    assert reasons(hashed, TODAY) == []
    assert reasons(TODAY, hashed) == ["file content was not hashed before"]


def test_a_date_that_is_told_later_is_no_reason_and_gets_into_the_marker(tmp_path: Path) -> None:
    """It is only a column, which the tables set; exports read it from the marker."""
    assert reasons(TODAY | {"acquired": "None"}, TODAY | {"acquired": "2025-05-01"}) == []
    output = Output(tmp_path)
    output.create()
    plan = cast(
        Plan,
        SimpleNamespace(
            job=SimpleNamespace(output=output), fingerprints={"a.tif": {"acquired": "2025-05-01"}}
        ),
    )
    marker = {"image_id": "a.tif", "status": "done", "fingerprint": TODAY | {"acquired": "None"}}
    sealed.write_sealed(output.marker("a.tif"), marker)
    os.utime(output.marker("a.tif"), ns=(5, 7))
    dated = _with_todays_dates(plan, {"a.tif": marker})
    assert dated["a.tif"] == marker | {"fingerprint": TODAY | {"acquired": "2025-05-01"}}
    assert read_marker(output, "a.tif") == dated["a.tif"]
    assert output.marker("a.tif").stat().st_mtime_ns == 7  # the image was done then, not now


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        ("def", "abc", ["file content changed"]),
        ("def", "unreadable", ["file content cannot be read"]),
        ("unreadable", "def", ["file content could not be read before"]),
        ("unreadable", "unreadable", []),
    ],
)
def test_a_content_changed_only_where_both_hashes_are_known(before: str, now: str, why: list[str]) -> None:
    assert reasons(TODAY | {"file content": before}, TODAY | {"file content": now}) == why


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        ({"file content": "def"}, {"file content": "def"}, []),
        ({"file content": "def"}, {"file content": "abc"}, ["file content changed", "file time changed"]),
        ({}, {"file content": "def"}, ["file content was not hashed before", "file time changed"]),
        ({"file content": "def"}, {}, ["file time changed"]),
        ({"file content": "unreadable"}, {"file content": "unreadable"}, ["file time changed"]),
    ],
)
def test_a_new_time_counts_unless_the_content_is_known_to_be_the_same(
    before: dict[str, Any], now: dict[str, Any], why: list[str]
) -> None:
    assert reasons(TODAY | {"file time": 1} | before, TODAY | {"file time": 2} | now) == why


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        ({"mask content": "m"}, {"mask content": "m", "mask file": [10, 2]}, []),
        ({"mask content": "m"}, {"mask content": "n"}, ["mask content changed"]),
        ({"mask content": "m"}, {"mask content": "unreadable"}, ["mask content cannot be read"]),
        ({}, {"mask content": "m"}, []),
        ({}, {"mask content": "m", "mask file": [10, 2]}, ["mask file changed"]),
        ({"mask content": "m"}, {"mask file": None}, ["mask file changed"]),
    ],
)
def test_the_content_of_a_mask_counts_where_it_was_hashed_before(
    before: dict[str, Any], now: dict[str, Any], why: list[str]
) -> None:
    """What was finished before masks were hashed stays finished."""
    old = TODAY | {"file content": "a", "mask file": [10, 1]}
    assert reasons(old | before, old | now) == why


def test_a_key_at_its_default_does_not_enter(tmp_path: Path) -> None:
    job = make_job(
        Request((tmp_path,), tmp_path / "out", Config(device="cpu", workers=7, seam_mm=5.0, keep_logs=3))
    )
    assert fingerprint.of_job(job)["configuration"] == {}
    job = replace(job, config=replace(job.config, halo_px=16, collar="keep"))
    assert fingerprint.of_job(job)["configuration"] == {"halo_px": 16, "collar": "keep"}


def test_only_images_with_a_coarse_look_know_of_it(tmp_path: Path) -> None:
    """So what weights without one made, and images too coarse for one, stay finished."""
    write_scene(tmp_path / "a.tif", clean_scene(300, 300, seed=1))
    image = load_survey([tmp_path / "a.tif"], Config()).images[0]
    request = Request((tmp_path,), tmp_path / "out", Config(device="cpu"))
    job = make_job(request)
    entry = fingerprint.of_image(image, job)[fingerprint.COARSE_LOOK]
    assert entry == job.coarse_shift == pytest.approx(-1.8)
    without = replace(job, config=replace(job.config, coarse_look=False))
    for other, each in ((replace(image, gsd_mm=2.0), job), (image, without)):
        assert fingerprint.COARSE_LOOK not in fingerprint.of_image(other, each)
    before, now = (fingerprint.of_job(each) | fingerprint.of_image(image, each) for each in (without, job))
    assert reasons(before, now) == [
        "with a coarse look now, for wide cracks; `coarse_look = false` in crackpipe.toml keeps the old"
    ]
    assert reasons(now, before) == ["without a coarse look now"]


def test_the_limit_of_a_screen_counts_where_it_decides(tmp_path: Path) -> None:
    """So what was finished before there were screens stays finished, and so do images that get none."""
    write_scene(tmp_path / "a.tif", clean_scene(300, 300, seed=1))
    image = load_survey([tmp_path / "a.tif"], Config()).images[0]
    job = make_job(Request((tmp_path,), tmp_path / "out", Config(device="cpu")))
    none = fingerprint.of_image(image, job)
    assert fingerprint.SCREEN not in none
    low, high = (replace(job, screen=limit, config=replace(job.config, screen=0.9)) for limit in (-4.0, -3.5))
    assert fingerprint.of_job(low) == fingerprint.of_job(job)
    with_low, with_high = fingerprint.of_image(image, low), fingerprint.of_image(image, high)
    assert with_low == none | {fingerprint.SCREEN: -4.0}
    assert fingerprint.SCREEN not in fingerprint.of_image(replace(image, gsd_mm=2.0), low)
    today = fingerprint.of_job(job)
    assert reasons(today | none, today | with_low) == ["with a screen now"]
    assert reasons(today | with_low, today | none) == ["without a screen now"]
    assert reasons(today | with_low, today | with_high) == ["limit of the screen changed from -4.0 to -3.5"]
    before = today | {"configuration": {"cascade": 0.04}}
    assert reasons(before, today) == ["cascade changed from 0.04 to null"]


@pytest.mark.parametrize(
    ("digest", "now", "expected"),
    [
        (DIGEST_OF_DEFAULTS, {}, []),
        (DIGEST_OF_DEFAULTS, {"halo_px": 16}, ["halo_px changed from 32 to 16"]),
        (DIGEST_OF_DEFAULTS, {"key_to_come": 5}, ["key_to_come changed from null to 5"]),
        ("efd6694ad82a61f85ab21bb6", {key: TUNED[key] for key in TUNED if key != "verify_inputs"}, []),
        ("efd6694ad82a61f85ab21bb6", {"halo_px": 16}, ["configuration changed"]),
    ],
)
def test_a_marker_of_the_first_form_is_understood(
    digest: str, now: dict[str, Any], expected: list[str]
) -> None:
    assert reasons(first_form(digest), configured(now)) == expected


def test_another_algorithm_is_a_reason_in_both_forms() -> None:
    assert reasons(TODAY, TODAY | {"algorithm": 4}) == ["algorithm changed"]
    assert reasons(first_form(DIGEST_OF_DEFAULTS), TODAY | {"algorithm": 4}) == ["algorithm changed"]


def test_the_defaults_that_markers_do_not_name_are_those_of_this_algorithm() -> None:
    """Markers leave out a key at its default, so another default must be another algorithm.

    Whoever changes one raises ALGORITHM_VERSION and puts the new version and digest here. For a new key the
    digest alone changes.
    """
    defaults = {each.name: each.default for each in fields(Config) if each.name not in WITHOUT_EFFECT}
    assert (fingerprint.ALGORITHM_VERSION, sealed.digest(defaults)) == (4, DIGEST_OF_TODAYS_DEFAULTS)


# ---- outputs that commit 5f0e436 finished


@pytest.fixture
def at_5f0e436(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A survey and its outputs, judged by the algorithm of that time: a later one does them again."""
    monkeypatch.setattr(fingerprint, "ALGORITHM_VERSION", 3)
    unpack(tmp_path)
    return tmp_path


def masks_of(out: Path) -> dict[str, str]:
    return {name: digest for name, digest in tree_hash(out).items() if name.startswith("masks.zarr")}


@pytest.mark.parametrize(
    ("out", "config"),
    [("default", {}), ("tuned", TUNED), ("tuned", TUNED | {"verify_inputs": False})],
    ids=["defaults", "other values", "other values, contents not asked for"],
)
def test_an_output_of_the_first_form_is_finished(at_5f0e436: Path, out: str, config: dict[str, Any]) -> None:
    """Tables may be made again, since later versions say more in them."""
    before = masks_of(at_5f0e436 / out)
    asked = request(at_5f0e436, out, **config)
    assert list(dry_run(asked, None))[:2] == ["a.tif\tdone before", "b.tif\tdone before"]
    summary = run(asked)
    assert (summary.images_run, summary.images_done) == (0, 2)
    said = next(summary_lines(asked, summary))
    assert said.startswith("Nothing to do") and "all 2" in said
    assert masks_of(at_5f0e436 / out) == before
    again = run(asked)
    assert next(summary_lines(asked, again)) == "Nothing to do: all 2 images were finished before."


@pytest.mark.parametrize(
    ("out", "config", "why"),
    [
        ("default", {"simplify_px": 0.8}, "simplify_px changed from 0.5 to 0.8"),
        ("tuned", TUNED | {"window_px": 40.0}, "window_px changed from 50.0 to 40.0"),
        ("tuned", TUNED | {"halo_px": 24}, "configuration changed"),
        ("tuned", TUNED | {"threshold": 0.6}, "threshold changed"),
    ],
)
def test_an_output_of_the_first_form_runs_again_and_says_why(
    at_5f0e436: Path, out: str, config: dict[str, Any], why: str
) -> None:
    lines = list(dry_run(request(at_5f0e436, out, **config), None))
    assert lines[:2] == [f"a.tif\trun: {why}", f"b.tif\trun: {why}"]


def test_a_finished_image_that_ran_again_has_a_marker_of_today(at_5f0e436: Path) -> None:
    changed = request(at_5f0e436, "default", simplify_px=0.8)
    assert run(changed).images_run == 2
    assert run(changed).unchanged
    lines = list(dry_run(request(at_5f0e436, "default", simplify_px=0.9), None))
    assert lines[0] == "a.tif\trun: simplify_px changed from 0.8 to 0.9"


def test_new_tables_leave_finished_images_finished(at_5f0e436: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(request(at_5f0e436, "default"))
    assert run(request(at_5f0e436, "default")).unchanged
    monkeypatch.setattr("crackpipe.pipeline.tables.crack_rows.SCHEMA_VERSION", 99)
    summary = run(request(at_5f0e436, "default"))
    assert (summary.images_run, summary.unchanged) == (0, False)


def test_a_survey_that_was_renamed_has_its_new_name_in_every_row(at_5f0e436: Path) -> None:
    """The tables are made again, no image is, and they are those of a survey that always had that name."""
    run(request(at_5f0e436, "renamed"))
    (at_5f0e436 / "survey").rename(at_5f0e436 / "roads")
    asked, afresh = (
        replace(request(at_5f0e436, out), sources=(at_5f0e436 / "roads",)) for out in ("renamed", "afresh")
    )
    summary = run(asked)
    assert (summary.images_run, summary.unchanged) == (0, False)
    run(afresh)
    assert tree_hash(asked.out) == tree_hash(afresh.out)
    assert set(pq.read_table(asked.out / "cracks.parquet")["survey"].to_pylist()) == {"roads"}
    assert run(asked).unchanged  # once is enough

"""What a run tells at its end, and the form of run.json."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from first_outputs import TUNED, request, unpack
from rasters.survey_files import write
from run_record import SCHEMA, form_faults
from streams import Shuffled

from crackpipe.model.predict.gpu_batches import GpuBatches
from crackpipe.model.predict.predictor import Predictor
from crackpipe.pipeline.config import Config
from crackpipe.pipeline.plan import look_at, make_plan, units_of
from crackpipe.pipeline.publish import Summary
from crackpipe.pipeline.request import Request, make_job
from crackpipe.pipeline.run import prepare, run
from crackpipe.pipeline.state import lock
from crackpipe.pipeline.state.markers import all_markers
from crackpipe.pipeline.summary import _percent, closing_of, summary_lines
from crackpipe.pipeline.tasks import unit as inspect_unit
from crackpipe.pipeline.tasks.job import Job


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A survey of three small images, and an output of it whose run.json is of commit 5f0e436."""
    made = tmp_path_factory.mktemp("first")
    unpack(made)
    return made


@pytest.fixture(scope="module")
def record(folder: Path) -> dict[str, Any]:
    run(request(folder, "anew", **TUNED))
    return dict(json.loads((folder / "anew" / "run.json").read_text()))


def test_a_run_writes_the_form_that_the_schema_describes(record: dict[str, Any]) -> None:
    assert form_faults(record) == []
    assert record["counts"]["images_run"] == 2 and record["tiles_per_s"] > 0
    assert [row["image_id"] for row in record["quarantined"]] == ["no-crs.tif"]


def test_a_run_that_had_nothing_to_do_has_the_same_form(folder: Path, record: dict[str, Any]) -> None:
    run(request(folder, "anew", **TUNED))
    again = json.loads((folder / "anew" / "run.json").read_text())
    assert form_faults(again) == []
    assert (again["counts"]["images_run"], again["counts"]["tiles"]) == (0, 0)


def test_the_configuration_has_types(record: dict[str, Any]) -> None:
    said = dict(record["configuration"])
    said |= {name: tuple(said[name]) for name in ("exclude", "exports")}
    assert Config(**said) == request(Path(record["survey"][0]).parent, "anew", **TUNED).config
    assert (said["verify_inputs"], said["allow_gsd"], said["crs"]) == (True, False, None)
    assert (said["halo_px"], said["simplify_px"], said["tone"]) == (16, 0.3, "srgb")


def test_the_schema_knows_every_key_of_the_configuration(record: dict[str, Any]) -> None:
    assert SCHEMA["properties"]["configuration"]["properties"].keys() == record["configuration"].keys()


def test_the_schema_refuses_the_text_that_commit_5f0e436_wrote(folder: Path) -> None:
    faults = form_faults(json.loads((folder / "default" / "run.json").read_text()))
    assert "$.configuration.halo_px: '32' is not of type 'integer'" in faults
    assert "$.configuration.allow_gsd: 'False' is not of type 'boolean'" in faults
    assert "$.configuration.threshold: 'None' is not of type 'number', 'null'" in faults


def test_the_closing_lines_can_be_searched_for_words(folder: Path, record: dict[str, Any]) -> None:
    asked = request(folder, "anew", **TUNED)
    summary = run(asked)  # nothing is left to do, and yet all is told
    lines = dict(line.split(": ", 1) for line in summary_lines(asked, summary) if ": " in line)
    found = {name: float(lines[f"length {name}"].removesuffix(" m")) for name in ("tiny", "small", "wide")}
    cracks = pq.read_table(asked.out / "cracks.parquet").to_pandas()
    by_class = cracks.groupby("width_class").length_m.sum()
    assert found == {name: round(by_class.get(name, 0.0), 1) for name in found}
    unmeasured = cracks.length_m[cracks.width_class.isna()].sum()
    assert float(lines["length unmeasured"].removesuffix(" m")) == round(unmeasured, 1)
    uncertain = cracks.length_m[cracks.class_uncertain].sum()
    assert float(lines["length uncertain"].removesuffix(" m")) == round(uncertain, 1)
    ground_m2 = record["counts"]["ground_m2"]
    assert lines["inspected area"] == f"{ground_m2:.1f} m2"
    assert lines["density"] == f"{cracks.length_m.sum() / ground_m2:.4g} m/m2"
    assert lines["inspected"] == f"{record['counts']['lane_km']:.3f} km of lane"
    assert lines["coverage"].endswith(" % of what the images show")
    assert lines["open next"].startswith("crackpipe sections")  # the last of them


def test_the_closing_table_says_the_same(folder: Path, record: dict[str, Any]) -> None:
    asked = request(folder, "anew", **TUNED)
    closing = closing_of(asked, run(asked))
    rows = dict(closing.rows)
    assert f"{record['counts']['ground_m2']:,.1f} m2" in rows["inspected"]
    assert rows["cracks"].startswith(f"{record['counts']['cracks']} · {record['counts']['length_m']:.1f} m")
    assert sum(closing.length_m.values()) == pytest.approx(record["counts"]["length_m"], abs=0.01)
    assert len(closing.quarantined) == 1 and closing.quarantined[0].startswith("no-crs.tif: no-crs: ")


# ---- smaller batches


def as_on_a_gpu(weights: str, *, reduced: bool) -> Predictor:
    """A network on the CPU that works through the batches of a GPU, whose memory was too short or not."""
    predictor = Predictor(weights, device="cpu", precision="fp32")
    gpu = GpuBatches(predictor._forward, "cpu", classes=1, batch=1, streams=Shuffled(5))
    gpu.reduced = reduced
    predictor._gpu, predictor.device = gpu, "cuda"
    return predictor


def has_smaller_batches(asked: Request) -> bool:
    run(asked)
    return bool(json.loads((asked.out / "run.json").read_text())["smaller_batches"])


def test_smaller_batches_are_told_as_long_as_such_an_image_is_published(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a run that was interrupted, one that goes on with it, and one without work."""
    asked = request(folder, "crowded")
    job = make_job(asked)
    job.output.create()
    made = make_plan(asked, job, look_at(asked))
    [unit, *_] = units_of(asked, made, made.images[:1])
    with monkeypatch.context() as patch, lock.locked(job.output, job.run):
        prepare(made)
        crowded = as_on_a_gpu(job.weights, reduced=True)
        patch.setattr(inspect_unit, "predictor_of", lambda _: crowded)
        inspect_unit.inspect_unit(job, {image.image_id: image for image in made.images}, unit)
    assert has_smaller_batches(asked)  # the other image, and all that follows the masks, on a CPU
    assert has_smaller_batches(asked)
    told = [marker["image_id"] for marker in all_markers(job.output) if "smaller_batches" in marker]
    assert told == ["a.tif"]
    assert not has_smaller_batches(replace(asked, restart=True))


@pytest.mark.parametrize(("batch", "is_smaller"), [(8, True), (1, False)])
def test_an_image_that_was_tried_again_with_half_the_batch_tells_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, batch: int, is_smaller: bool
) -> None:
    """A batch of one tile has no half."""
    asked = request(folder, f"again-{batch}", batch=batch)
    plenty = as_on_a_gpu(str(asked.config.weights), reduced=False)
    tries: list[int] = []

    def predictor_of(job: Job) -> Predictor:
        tries.append(job.config.batch)
        if len(tries) == 1:
            raise MemoryError
        return plenty

    monkeypatch.setattr(inspect_unit, "predictor_of", predictor_of)
    assert has_smaller_batches(asked) == is_smaller
    assert set(tries) == {batch, max(1, batch // 2)}


@pytest.mark.parametrize(
    ("share", "said"), [(1.0, "100 %"), (0.999999, "99.9 %"), (0.5, "50 %"), (0.0, "0 %")]
)
def test_no_pixel_that_was_left_out_reads_as_all(share: float, said: str) -> None:
    assert _percent(share) == said


def test_an_output_of_an_older_version_has_fewer_lines(folder: Path) -> None:
    asked = request(folder, "anew", **TUNED)
    lines = list(summary_lines(asked, Summary(images_done=2, unchanged=True)))
    assert lines[0] == "Nothing to do: all 2 images were finished before."
    assert not [line for line in lines if line.startswith(("length", "inspected", "density", "coverage"))]
    assert dict(closing_of(asked, Summary(cracks=3, length_m=1.25)).rows) == {"cracks": "3 · 1.2 m"}


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        (0, "No image is done: none is left in the survey."),
        (1, "No image is done: the only one is in quarantine, and images.parquet says why and what to do."),
        (3, "No image is done: all 3 are in quarantine, and images.parquet says why and what to do."),
    ],
)
@pytest.mark.parametrize("as_before", [False, True])
def test_where_no_image_is_done_none_is_said_to_be(
    tmp_path: Path, *, refused: int, said: str, as_before: bool
) -> None:
    row = {"image_id": "a.tif", "reason": "no-crs", "message": "it names no CRS", "remedy": "Give one."}
    summary = Summary(quarantined=[row] * refused, unchanged=as_before)
    asked = request(tmp_path, "out")
    assert next(iter(summary_lines(asked, summary))) == said
    assert closing_of(asked, summary).title == said
    assert summary.exit_code == (3 if refused else 0)


def test_a_survey_of_which_every_image_is_refused_ends_with_3_and_says_why(tmp_path: Path) -> None:
    for number in range(2):
        write(tmp_path / "survey" / f"{number}.tif", crs=None)
    asked = Request((tmp_path / "survey",), tmp_path / "out", Config(), serial=True)
    for _ in range(2):
        summary = run(asked)
        assert summary.exit_code == 3
        assert next(iter(summary_lines(asked, summary))).startswith(
            "No image is done: all 2 are in quarantine"
        )
        rows = pq.read_table(tmp_path / "out" / "images.parquet").to_pylist()
        assert [(row["status"], row["reason"]) for row in rows] == [("quarantined", "no-crs")] * 2
        assert all("--assume-crs" in row["remedy"] for row in rows)

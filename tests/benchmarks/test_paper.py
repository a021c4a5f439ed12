"""The commands of benchmarks/paper: statistics by hand, baselines under one encoder, one training."""

import json
from pathlib import Path

import baselines
import cost
import numpy as np
import paper_figures
import paper_tables
import pytest
import torch
import trained
from PIL import Image

from crackpipe.model.train.imagenet import lite0_state_dict


def result(*iou: float, **more: object) -> dict[str, object]:
    sets = [
        {"set": f"s{n}", "pictures": 2, "crack_free": 0, "iou": v, "f1_2px": v} for n, v in enumerate(iou)
    ]
    sound = {"set": "sound", "pictures": 3, "crack_free": 3, "iou": None, "f1_2px": None}
    return {"sets": [*sets, sound, {"set": "mean", "iou": 0.9, "f1_2px": 0.9}], **more}


def test_budgets_are_minutes_hours_tiles_or_the_published_epochs() -> None:
    assert trained.schedule("10m") == {"minutes": 10.0}
    assert trained.schedule("2h") == {"minutes": 120.0}
    assert trained.schedule("200t") == {"tiles": 200}
    assert trained.schedule("full") == {"epochs": 1000.0}
    with pytest.raises(ValueError, match=r"budget '10': give minutes \(10m\)"):
        trained.schedule("10")


def test_best_of_each_set_is_bold_and_crack_free_sets_have_no_column() -> None:
    table = paper_tables.table3({"a": result(0.5, 0.25), "b": result(0.4, 0.75)}, "iou")
    assert table.splitlines() == [
        "| IoU | s0 | s1 |",
        "|---|---|---|",
        "| a | **0.500** | 0.250 |",
        "| b | 0.400 | **0.750** |",
    ]


def test_deviation_over_sets_is_of_a_sample() -> None:
    assert paper_tables.mean_and_sd([0.25, 0.75]) == "0.500 (0.354)"  # sqrt(2 * 0.25^2 / 1)
    assert paper_tables.mean_and_sd([0.25]) == "0.250"


def test_signed_rank_of_five_sets_cannot_fall_below_a_sixteenth() -> None:
    test = paper_tables.signed_rank([0.6, 0.7, 0.8, 0.9, 0.95], [0.5, 0.5, 0.5, 0.5, 0.5])
    assert (test.pairs, test.median) == (5, pytest.approx(0.3))
    assert test.p_value == pytest.approx(2 / 2**5)
    assert paper_tables.signed_rank([0.5, 0.6], [0.5, 0.6]).p_value == 1


def test_holm_by_hand() -> None:
    # 0.01 x 3; 0.03 x 2; 0.04 x 1 would be below its predecessor
    assert paper_tables.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert paper_tables.holm([0.9, 0.8]) == [1.0, 1.0]


def test_modules_are_compared_seed_by_seed() -> None:
    results = [
        result(value, rfem=rfem, cagm=cagm, seed=seed)
        for rfem, cagm, values in ((True, True, (0.5, 0.7)), (False, True, (0.4, 0.8)))
        for seed, value in enumerate(values)
    ]
    off, on = paper_tables.table6(results, ["iou"]).splitlines()[2:]
    assert off == "| off | on | 2 | 0.600 (0.283) | -0.100, +0.100 |"
    assert on == "| on | on | 2 | 0.600 (0.141) |  |"


@pytest.mark.parametrize("name", ["U-Net", "PSPNet"])
def test_a_baseline_starts_from_the_encoder_of_the_lite_network(name: str) -> None:
    net = baselines.network(name, pretrained=True)(1)
    own = net.encoder.model.state_dict()
    assert all(torch.equal(own[key], tensor) for key, tensor in lite0_state_dict().items())
    assert all(key.startswith("encoder.") for key, _ in net.named_parameters() if "conv_stem" in key)
    with torch.inference_mode():
        assert net.eval()(torch.zeros(1, 3, 448, 448)).shape == (1, 1, 448, 448)


@pytest.mark.parametrize("name", baselines.NAMES)
def test_every_network_starts_at_the_prior_of_the_recipe(name: str) -> None:
    net = baselines.network(name, prior=0.02)(1)
    (bias,) = [each for key, each in net.named_parameters() if "head" in key and each.shape == (1,)]
    assert torch.sigmoid(bias).item() == pytest.approx(0.02)


def test_flop_count_the_attention_too() -> None:
    """CAGM's two products of attention, 784 x 256 by 128 channels, are 4 x 784 x 256 x 128 FLOP."""
    with torch.device("meta"):
        nets = [baselines.network("lite", cagm=cagm)(1) for cagm in (True, False)]
    assert cost.flop_of(nets[0]) == pytest.approx(8.45e9, abs=0.01e9)
    linear = 2 * 784 * 128 * (4 * 128 + 2 * 256) + 2 * 2 * 784 * 256 * 128
    assert cost.flop_of(nets[0]) - cost.flop_of(nets[1]) == linear + 4 * 784 * 256 * 128


def test_colours_say_right_false_missed_and_not_inspected() -> None:
    label = np.zeros((1, 12), np.uint8)
    label[0, [2, 11]] = 1
    label[0, 6] = 255
    mask = np.zeros((1, 12), bool)
    mask[0, [4, 6, 7]] = True  # 2 px beside a crack; where nobody looked; on sound road
    shown = paper_figures.judged(np.full((1, 12, 3), 55, np.uint8), label, mask)[0]
    assert tuple(shown[4]) == paper_figures.RIGHT
    assert tuple(shown[7]) == paper_figures.FALSE
    assert tuple(shown[11]) == paper_figures.MISSED
    assert (shown[[0, 2, 6]] == 155).all()  # half-way to white


@pytest.mark.slow
def test_a_network_is_trained_judged_and_not_trained_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (tmp_path / "cfd" / part).mkdir(parents=True)
    for number in range(6):  # 0 and 1 fall on the validation side
        image, mask = rng.integers(120, 180, (128, 320, 3), np.uint8), np.zeros((128, 320), np.uint8)
        mask[:, 100 : 103 + number] = 255
        image[mask > 0] = 40
        Image.fromarray(image).save(tmp_path / "cfd/images" / f"{number}.jpg")
        Image.fromarray(mask).save(tmp_path / "cfd/masks" / f"{number}.png")
    plan = trained.Plan((tmp_path / "cfd",), tmp_path / "out", "2t")
    run = trained.Run("LinkNet")
    first = trained.result(plan, run)
    folder = tmp_path / "out" / run.folder
    assert [row["set"] for row in first["sets"]] == ["cfd", "mean", "sd"]
    assert first["tiles"] == 4  # one step of four
    assert [picture.stem for picture in trained.pictures_of(folder)] == ["0", "1"]
    ((name, (_, threshold)),) = trained.networks_of(plan.out, "lite0", "cpu").items()
    assert (name, threshold) == ("LinkNet", first["threshold"])
    (folder / "weights" / "checkpoint.pt").unlink()
    assert trained.result(plan, run) == json.loads((folder / "result.json").read_text())
    with pytest.raises(ValueError, match="budget '2t', not '3t'"):
        trained.result(trained.Plan(plan.data, plan.out, "3t"), run)

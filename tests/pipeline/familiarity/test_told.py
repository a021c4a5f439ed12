"""What a survey's images tell together."""

from dataclasses import asdict
from typing import Any

from crackpipe.pipeline.familiarity.told import SurveyFamiliarity, familiarity_in, lines, of_survey, warning

BY = "0123"
RANGE_MM = (0.5, 6.0)


def marker(familiarity: float | None, by: str = BY) -> dict[str, Any]:
    return {"familiarity": familiarity, "statistics": by}


def said(told: SurveyFamiliarity) -> list[str]:
    return list(lines(asdict(told)))


def test_the_number_of_an_image_counts_only_by_the_statistics_of_today() -> None:
    assert familiarity_in(marker(0.3), BY) == 0.3
    assert familiarity_in(marker(0.3, "other"), BY) is None
    assert familiarity_in(marker(0.3), None) is None
    assert familiarity_in({}, BY) is None


def test_the_figure_of_a_survey_is_the_median() -> None:
    markers = [marker(0.9), marker(0.2), marker(0.85), marker(None)]
    assert of_survey(markers, [1.0] * 4, BY, RANGE_MM) == SurveyFamiliarity(0.85, 3, 0, 0, RANGE_MM)


def test_images_finished_before_and_images_outside_the_range_are_counted() -> None:
    markers = [marker(0.9), {}, marker(0.1, "other")]
    told = of_survey(markers, [0.4, 0.5, 6.5], BY, RANGE_MM)
    assert told == SurveyFamiliarity(0.9, 1, 2, 2, RANGE_MM)
    assert said(told) == [
        "familiarity 0.90 (median of 1 images, from 0 to 1): so well the network knows such images",
        "2 images were finished before these weights could tell the familiarity, so they have none; "
        "--restart does them again",
        "2 images have a GSD outside 0.5 to 6 mm, which the weights were trained for; the network saw them "
        "resampled",
    ]


def test_weights_without_statistics_tell_nothing() -> None:
    told = of_survey([marker(0.9), {}], [1.0, 1.0], None, None)
    assert told == SurveyFamiliarity(None, 0, 0, 0, None)
    assert said(told) == []


def test_a_strange_survey_is_told_what_to_do() -> None:
    assert warning(asdict(SurveyFamiliarity(median=0.5, images=9))) is None
    told = SurveyFamiliarity(median=0.12, images=9)
    text = warning(asdict(told))
    assert text is not None and text in said(told)
    for words in (
        "familiarity 0.12",
        "may miss cracks",
        "cracks.parquet",
        "--threshold",
        "adapt OUT --pick 20",
    ):
        assert words in text

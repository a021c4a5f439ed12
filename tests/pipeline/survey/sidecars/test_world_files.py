"""A world file is read as editors and other programs write it, or refused."""

from pathlib import Path

import pytest
from affine import Affine

from crackpipe.pipeline.errors import ImageRejectedError
from crackpipe.pipeline.survey.sidecars.world_files import read_world_file

LINES = ("0.002", "0", "0.0", "-0.001", "500000.001", "5400000.0005")
TRANSFORM = Affine(0.002, 0, 500_000.0, 0, -0.001, 5_400_000.001)


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(LINES),
        " ".join(LINES),
        "\r\n".join(LINES) + "\r\n\r\n",
        "\n".join(LINES).replace(".", ","),
        "\n".join(f"{line} x size" for line in LINES),
        "\n".join([*LINES, "7", "written by hand"]),
        "\n\n".join(LINES),
        "2e-3\n0\n+0.\n-1.0E-03\n500000.001\n5400000.0005",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_is_read(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "a.jgw").write_text(text, encoding=encoding)
    assert read_world_file(tmp_path / "a.jgw").transform.almost_equals(TRANSFORM, 1e-9)


def test_words_in_another_encoding_do_no_harm(tmp_path: Path) -> None:
    content = "\n".join(f"{line} Größe" for line in LINES).encode("latin-1")
    (tmp_path / "a.jgw").write_bytes(content)
    assert read_world_file(tmp_path / "a.jgw").transform.almost_equals(TRANSFORM, 1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "1 2 3 4 5",
        "1 2 3 4 5 6 7",
        "0,001\n0\n0\n-0.001\n1\n2",  # which of the marks separates thousands?
        "0.001\n0\n0\n-0.001\n500,000.5\n2",
        "0,001\n0\n0\n-0,001\n5,400,000\n2",
        "x 0.001\nx 0\nx 0\nx 1\nx 1\nx 2",
        "1_0 0 0 1 0 0",
        "",
    ],
)
def test_what_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.jgw").write_text(text)
    with pytest.raises(ImageRejectedError, match=r"a\.jgw does not hold six numbers"):
        read_world_file(tmp_path / "a.jgw")


@pytest.mark.parametrize(
    ("sizes", "rounding"),
    [
        (("0.00000001", "0", "0", "-0.00000001"), 0.5),
        (("0.000000013", "0", "0", "-0.000000009"), 0.5e-9 / 9e-9),
        (("1.349e-8", "0.0", "0.0", "-8.993e-9"), 0.5e-11 / 1.349e-8),
        (("0.3", "0.4", "0.4", "-0.3"), 0.05 / 0.5),
        (("0", "1", "2", "0"), 0.5),
    ],
)
def test_rounding_is_half_a_last_digit(tmp_path: Path, sizes: tuple[str, ...], rounding: float) -> None:
    (tmp_path / "a.jgw").write_text("\n".join([*sizes, "11.5", "48.1"]))
    assert read_world_file(tmp_path / "a.jgw").rounding == pytest.approx(rounding, rel=1e-9)

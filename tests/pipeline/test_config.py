"""Where a configuration's values come from, and that wrong ones are named with their source and limit."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crackpipe.pipeline.config import WITHOUT_EFFECT, Config, as_toml, resolve
from crackpipe.pipeline.errors import ConfigurationError, UsageError


def test_option_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    file = tmp_path / "crackpipe.toml"
    file.write_text("halo_px = 48\nbatch = 4\ngap_px = 10\n")
    environ = {"CRACKPIPE_HALO_PX": "64", "CRACKPIPE_BATCH": "2", "OTHER": "x"}
    config = resolve({"halo_px": 96, "device": None}, file, environ)
    assert (config.halo_px, config.batch, config.gap_px, config.device) == (96, 2, 10.0, "auto")


def test_the_cpu_beats_the_gpus_of_a_lower_place(tmp_path: Path) -> None:
    file = tmp_path / "crackpipe.toml"
    file.write_text("gpus = 2\n")
    one_gpu = {"CRACKPIPE_GPUS": "1"}
    assert resolve({"device": "cpu"}, file, one_gpu) == Config(device="cpu")
    assert resolve({}, file, {"CRACKPIPE_DEVICE": "cpu"}) == Config(device="cpu")
    file.write_text("device = 'cpu'\n")
    assert resolve({}, file, one_gpu) == Config(device="cpu", gpus=1)  # gpus say where, as beside it
    assert resolve({"gpus": 3}, file, {}) == Config(device="cpu", gpus=3)
    assert resolve({"device": "cuda"}, None, one_gpu) == Config(device="cuda", gpus=1)  # no contradiction


def test_gpus_and_the_cpu_in_one_command_are_refused() -> None:
    with pytest.raises(UsageError, match="--gpus 2 excludes --device cpu: give only one"):
        resolve({"device": "cpu", "gpus": 2}, None, {})
    assert resolve({"device": "cuda", "gpus": 2}, None, {}) == Config(device="cuda", gpus=2)


def test_nothing_given_is_the_default() -> None:
    assert resolve({}, None, {}) == Config()


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("CRACKPIPE_ALLOW_GSD", "true", "allow_gsd", True),
        ("CRACKPIPE_ASSUME_CRS", "EPSG:25832", "assume_crs", "EPSG:25832"),
        ("CRACKPIPE_THRESHOLD", "0.5", "threshold", 0.5),
        ("CRACKPIPE_GSD_MAX_MM", "6", "gsd_max_mm", 6.0),
        ("CRACKPIPE_EXCLUDE", "['*_ql.jpg', 'thumbs']", "exclude", ("*_ql.jpg", "thumbs")),
    ],
)
def test_environment_is_parsed_by_the_type_of_the_key(
    variable: str, text: str, field: str, value: object
) -> None:
    assert getattr(resolve({}, None, {variable: text}), field) == value


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("halo = 32\n", "unknown key 'halo'.*halo_px"),
        ("halo_px = '32'\n", "halo_px is '32', but must be of type int"),
        ("halo_px = true\n", "halo_px is True, but must be of type int"),
        ("halo_px = 32.5\n", "halo_px is 32.5, but must be of type int"),
        ("exclude = '*.jpg'\n", r"exclude is '\*.jpg', but must be of type list of strings"),
        ("exclude = [1]\n", r"exclude is \[1\], but must be of type list of strings"),
        ("halo_px = \n", "cannot be read as TOML"),
        ("keep_logs = 0\n", "keep_logs is 0, but must be at least 1"),
        ("halo_px = 400\n", "halo_px is 400, but must be from 0 to 192"),
        ("gsd_min_mm = 9\n", "gsd_min_mm is 9.0, but must be over 0 and below gsd_max_mm"),
        ("sigma_psf_px = nan\n", "sigma_psf_px is nan"),
    ],
)
def test_wrong_values_name_key_value_and_limit(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "crackpipe.toml"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=message):
        resolve({}, file, {})


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "crackpipe.toml"
    file.write_text("exclude = ['thumbs']\n", encoding="utf-8-sig")
    assert resolve({}, file, {}).exclude == ("thumbs",)


@pytest.mark.parametrize(
    ("key", "value", "limit"),
    [("exports", ("gpkg", "kml"), "of gpkg, fgb"), ("parquet_compression", "gzip", "zstd or snappy")],
)
def test_an_export_that_nobody_can_make_is_refused_before_the_run(
    key: str, value: object, limit: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"{key} is .*must be {limit}"):
        resolve({key: value}, None, {})


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for name in ("absent.toml", "binary.toml"):
        with pytest.raises(ConfigurationError, match=name):
            resolve({}, tmp_path / name, {})


def test_wrong_environment_names_the_variable() -> None:
    with pytest.raises(ConfigurationError, match="CRACKPIPE_BATCH='two'"):
        resolve({}, None, {"CRACKPIPE_BATCH": "two"})


@given(
    st.text(st.characters(blacklist_categories=["Cs"]), min_size=1),
    st.floats(1e-9, 1e9),
    st.booleans(),
    st.lists(st.text(st.characters(blacklist_categories=["Cs"]))),
)
def test_show_config_can_be_read_back(
    weights: str, gap_mm: float, allow_gsd: bool, exclude: list[str]
) -> None:
    config = Config(weights=weights, line_cap_mm=gap_mm, allow_gsd=allow_gsd, exclude=tuple(exclude))
    text = as_toml(config)
    lists = {"exclude": config.exclude, "exports": config.exports}
    assert (tomllib.loads(text) | lists).items() <= vars(config).items()
    assert tomllib.loads(text)["exclude"] == exclude
    assert tomllib.loads(text)["weights"] == weights
    assert "# threshold =" in text


def test_keys_without_effect_exist() -> None:
    assert set(vars(Config())) >= WITHOUT_EFFECT

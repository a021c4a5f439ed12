"""Inverse Cholesky factors against LAPACK in double precision, and widths on any number of threads."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from crackpipe.pipeline.width.fit.fit_width import fit_widths
from crackpipe.pipeline.width.fit.fit_windows import fit_windows
from crackpipe.pipeline.width.fit.whitening import inverse_factor, product

PRINT_HASH = "from test_whitening import hash_of_widths; print(hash_of_widths())"


def covariances(count: int, bins: int) -> np.ndarray:
    """Texture with grains of 2 to 8 bins and as much noise of each bin, float32 (count, bins, bins)."""
    apart = np.abs(np.arange(bins)[:, None] - np.arange(bins))
    grain = np.linspace(2.0, 8.0, count)[:, None, None]
    return (np.exp(-apart / grain) * 100.0 + np.eye(bins) * 20.0).astype(np.float32)


def profiles(count: int, bins: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Offsets and grey values (count, bins) of slots 2 px wide under noise."""
    offset = np.tile(np.linspace(-9.0, 9.0, bins), (count, 1))
    grey = 120.0 - 60.0 * (np.abs(offset) < 1.0)
    return offset, grey + np.random.default_rng(seed).normal(0.0, 4.0, offset.shape)


def fitted(offset: np.ndarray, grey: np.ndarray, *, together: bool) -> np.ndarray:
    each = np.ones(len(grey))
    found = fit_windows(
        offset,
        grey,
        np.full(grey.shape, 9.0),
        bin_px=each * (18.0 / offset.shape[1]),
        sigma_px=0.75 * each,
        contrast=60.0 * each,
        contrast_sd=0.2 * each,
        together=together,
    )
    return np.stack([found.width_px, found.ln_width_sd, found.center_px])


def hash_of_widths() -> str:
    """Of windows with 40 and with 160 bins: alone, together, and as anyone's profiles."""
    found = [
        fitted(*profiles(40, bins, seed=bins), together=together)
        for bins in (40, 160)
        for together in (True, False)
    ]
    offset, grey = profiles(20, 400, seed=1)
    plain = fit_widths(offset, grey, sigma_psf_px=0.7, contrast=60.0)
    found.append(np.stack([plain.width_px, plain.width_sigma_px]))
    return hashlib.sha256(b"".join(each.tobytes() for each in found)).hexdigest()


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("bins", [1, 3, 7, 40, 97])
def test_it_is_the_inverse_of_the_lower_cholesky_factor(bins: int) -> None:
    covariance = covariances(5, bins)
    exact = np.linalg.inv(np.linalg.cholesky(covariance.astype(np.float64)))
    assert np.abs(inverse_factor(covariance) - exact).max() < 1e-6 * np.abs(exact).max()


def test_a_factor_does_not_depend_on_its_neighbours() -> None:
    covariance = covariances(30, 40)
    assert inverse_factor(covariance[7:8]).tobytes() == inverse_factor(covariance)[7:8].tobytes()


def test_what_is_no_covariance_is_refused() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        inverse_factor(-covariances(2, 8))


@pytest.mark.parametrize("rows", [1, 160])
def test_a_product_in_pieces_is_the_product(rows: int) -> None:
    rng = np.random.default_rng(3)
    left, right = rng.normal(size=(2, rows, 160)), rng.normal(size=(2, 160, 90))
    assert np.allclose(product(left, right), np.einsum("nij,njk->nik", left, right))


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("bins", [40, 97])
def test_a_width_depends_neither_on_threads_of_torch_nor_on_its_neighbours(bins: int) -> None:
    offset, grey = profiles(300, bins, seed=2)
    chosen = [7, 290]
    alone = fitted(offset[chosen], grey[chosen], together=False)
    assert fitted(offset, grey, together=False)[:, chosen].tolist() == alone.tolist()
    single = fitted(offset[7:8], grey[7:8], together=False)
    assert single[:, 0].tolist() == alone[:, 0].tolist()


def test_widths_are_the_same_bytes_on_one_thread_and_on_two() -> None:
    """In fresh processes, since libraries read the number of threads when they are loaded."""
    hashes = set()
    for threads in ("1", "2"):
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        environment = os.environ | dict.fromkeys(names, threads)
        environment["PYTHONPATH"] = os.pathsep.join([os.path.dirname(__file__), *sys.path])  # noqa: PTH120
        done = subprocess.run(
            [sys.executable, "-c", PRINT_HASH], env=environment, capture_output=True, text=True, check=True
        )
        hashes.add(done.stdout.strip())
    assert len(hashes) == 1

"""A weights file with other metadata keeps its tensors, and statistics do not make it another network."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import WEIGHTS_METADATA

from crackpipe.model.networks.one_convolution import OneConvolution
from crackpipe.model.weights import files, header
from crackpipe.model.weights.read import save

ENTRY = {"sets": ["a"], "usual": 0.1, "note": 'quotes ", a tab \t, Ä, \u2028 and \x7f'}


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    torch.manual_seed(0)
    save(tmp_path / "w.safetensors", OneConvolution(), WEIGHTS_METADATA | {"data": 'a "road"\\ Ä\n'})
    return (tmp_path / "w.safetensors").read_bytes()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def with_statistics(content: bytes, entry: Any = ENTRY) -> bytes:
    return header.with_metadata(content, header.metadata_of(content) | {header.STATISTICS: entry})


def test_metadata_are_read_and_replaced(content: bytes, tmp_path: Path) -> None:
    changed = with_statistics(content)
    assert header.metadata_of(changed) == header.metadata_of(content) | {header.STATISTICS: ENTRY}
    before, after = (files.from_safetensors(tmp_path, each)[0] for each in (content, changed))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_same_metadata_give_the_same_bytes(content: bytes) -> None:
    assert header.with_metadata(content, header.metadata_of(content)) == content


def test_statistics_do_not_make_another_network(content: bytes) -> None:
    for entry in (ENTRY, {"sets": []}):
        changed = with_statistics(content, entry)
        assert sha256(changed) != sha256(content)
        assert header.network_sha256(changed, header.metadata_of(changed)) == sha256(content)
    assert header.network_sha256(content, header.metadata_of(content)) == sha256(content)


def test_other_tensors_or_other_metadata_make_another_network(content: bytes) -> None:
    changed = with_statistics(content)
    other = changed[:-1] + bytes([changed[-1] ^ 1])
    assert header.network_sha256(other, header.metadata_of(other)) != sha256(content)
    renamed = header.with_metadata(changed, header.metadata_of(changed) | {"contrast_c0": 61.0})
    assert header.network_sha256(renamed, header.metadata_of(renamed)) != sha256(content)


def test_a_file_of_another_writer_is_known_by_its_bytes() -> None:
    text = json.dumps({"b": {}, "__metadata__": {"crackpipe": json.dumps({header.STATISTICS: ENTRY})}})
    content = len(text).to_bytes(8, "little") + text.encode()
    assert header.network_sha256(content, header.metadata_of(content)) == sha256(content)
    with pytest.raises(ValueError, match="does not begin"):
        header.with_metadata(content, {})

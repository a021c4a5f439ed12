"""Where the figures come from: weights and whom they owe thanks, threshold, version, settings."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from crackpipe.model.weights import folder, header
from crackpipe.model.weights.metadata import WeightsError
from crackpipe.pipeline.config import WITHOUT_EFFECT, Config


def provenance(record: Mapping[str, Any]) -> dict[str, Any]:
    """What the page says of the run, from the content of run.json. Names no machine and no folder of it."""
    weights = dict(record.get("weights") or {})
    said = _metadata(record)
    configuration = dict(record.get("configuration") or {})
    defaults = {each.name: each.default for each in fields(Config) if each.name not in WITHOUT_EFFECT}
    changed = {
        name: str(value)
        for name, value in sorted(configuration.items())
        if name in defaults and str(value) != str(_as_json(defaults[name]))
    }
    threshold = configuration.get("threshold")
    return {
        "version": record.get("crackpipe"),
        "finished": str(record.get("finished") or "")[:10] or None,
        "weights": weights.get("name"),
        "sha256": weights.get("sha256"),
        "threshold": said.get("threshold") if threshold is None else threshold,
        "licence": said.get("licence"),
        "data": said.get("data"),
        "device": record.get("device"),
        "precision": record.get("precision"),
        "settings": changed,
        "tiny_below_mm": configuration.get("tiny_below_mm", Config.tiny_below_mm),
        "small_below_mm": configuration.get("small_below_mm", Config.small_below_mm),
    }


def _metadata(record: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of the weights of the run; empty if that very file is no longer where it was."""
    name = str((record.get("configuration") or {}).get("weights", "lite"))
    try:
        _, sha256, content = folder.read(name)
        if sha256 != (record.get("weights") or {}).get("sha256"):
            return {}
        return header.metadata_of(content)
    except (WeightsError, OSError, KeyError, ValueError):
        return {}  # the page says that nothing more is known of them


def _as_json(value: Any) -> Any:
    """A tuple as JSON gives it back."""
    return list(value) if isinstance(value, tuple) else value

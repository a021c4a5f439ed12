"""The weights that a finished run used, as `run.json` names them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crackpipe.pipeline.console.log import log
from crackpipe.pipeline.errors import UsageError

if TYPE_CHECKING:
    from crackpipe.model.weights.read import Weights


def weights_of(run: Path, init: str | None = None) -> "Weights":
    """The weights to start from: `init`, a name or a file, or those that the run names.

    Says so if weights of that name are others than those of the run. Raises UsageError if there are none.
    """
    from crackpipe.model.weights.metadata import WeightsError
    from crackpipe.model.weights.read import load

    record = _record(run)
    name = init or str(record.get("configuration", {}).get("weights", "lite"))
    try:
        weights = load(name)
    except WeightsError as error:
        remedy = "" if init else ". The run used them: say with --init NAME|FILE where they are now"
        raise UsageError(f"{error}{remedy}") from error
    sha256 = record.get("weights", {}).get("sha256")
    if sha256 != weights.sha256:
        log.info(
            f"weights {weights.name} ({weights.sha256[:12]}) are not those of the run: "
            f"{record.get('weights', {}).get('name', 'unknown')} ({str(sha256)[:12]})"
        )
    return weights


def threshold_of(run: Path, weights: "Weights") -> float:
    """The probability, 0..1, from which a run with `weights` calls a pixel crack.

    The run's own threshold, where one was given, is for the weights that it used.
    """
    record = _record(run)
    said = record.get("configuration", {}).get("threshold")
    others = record.get("weights", {}).get("sha256") != weights.sha256
    return weights.threshold if others or said in (None, "None") else float(said)


def _record(run: Path) -> dict[str, Any]:
    file = run / "run.json"
    if not file.is_file():
        raise UsageError(f"{file} does not exist: OUT is the output folder of a finished run.")
    record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return record

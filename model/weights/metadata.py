"""The metadata of a weights file, read with its types checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crackpipe.model.weights.kinds import KINDS


class WeightsError(Exception):
    """Weights that cannot be used; the message names the file, the value and the remedy."""


@dataclass(frozen=True)
class Entries:
    """The entries of the metadata: one method a type.

    Each raises WeightsError with file, key and value if the entry is missing or has an impossible value.
    """

    path: Path
    metadata: Mapping[str, Any]

    def _get(self, key: str, wanted: str, accept: Callable[[Any], bool]) -> Any:
        if key not in self.metadata:
            raise WeightsError(f"{self.path}: metadata lacks {key!r} ({wanted}); add it")
        value = self.metadata[key]
        if not accept(value):
            raise WeightsError(f"{self.path}: metadata {key!r} is {value!r:.100}; set {wanted}")
        return value

    def text(self, key: str) -> str:
        """A text that is not empty."""
        return str(self._get(key, "a text", lambda v: isinstance(v, str) and v != ""))

    def one_of(self, key: str, values: tuple[Any, ...]) -> Any:
        """One of these values, of their type."""
        return self._get(key, f"one of {values}", lambda v: type(v) is type(values[0]) and v in values)

    def mapping(self, key: str) -> dict[str, Any]:
        """An object with any content."""
        return dict(self._get(key, "an object", lambda v: isinstance(v, Mapping)))

    def number(self, key: str, *, above: float, at_most: float) -> float:
        """A finite number, above < value <= at_most."""
        wanted = f"a number above {above} and at most {at_most}"
        return float(self._get(key, wanted, lambda v: is_number(v) and above < v <= at_most))

    def span(self, key: str, *, above: float, at_most: float) -> tuple[float, float]:
        """Two finite numbers, above < first <= second <= at_most."""
        low, high = self._get(
            key,
            f"two numbers above {above} and at most {at_most}, the lower one first",
            lambda v: (
                isinstance(v, list | tuple)
                and len(v) == 2
                and all(is_number(x) and above < x <= at_most for x in v)
                and v[0] <= v[1]
            ),
        )
        return float(low), float(high)

    def gsd_range(self, key: str) -> tuple[float, float] | None:
        """Finest and coarsest GSD in mm/px; None where missing."""
        return self.span(key, above=0.0, at_most=1000.0) if key in self.metadata else None

    def coarse_shift(self, key: str) -> float | None:
        """What is added to the logit of a coarse look; None where missing."""
        return self.number(key, above=-100.0, at_most=0.0) if key in self.metadata else None

    def triple(self, key: str, *, above: float, at_most: float) -> tuple[float, float, float]:
        """Three finite numbers for R, G, B, above < value <= at_most."""
        wanted = f"three numbers above {above} and at most {at_most}"
        red, green, blue = self._get(
            key,
            wanted,
            lambda v: (
                isinstance(v, list | tuple)
                and len(v) == 3
                and all(is_number(x) and above < x <= at_most for x in v)
            ),
        )
        return float(red), float(green), float(blue)

    def names(self, key: str) -> tuple[str, ...]:
        """1 to 254 different names."""
        return tuple(
            self._get(
                key,
                "a list of 1 to 254 different names",  # a mask has one byte: 0 is sound, 255 not inspected
                lambda v: (
                    isinstance(v, list | tuple)
                    and 1 <= len(v) <= 254
                    and all(isinstance(x, str) and x != "" for x in v)
                    and len(set(v)) == len(v)
                ),
            )
        )

    def kinds(self, key: str, count: int) -> tuple[str, ...]:
        """One of KINDS for each of `count` classes, at least one `crack`; all `crack` where missing."""
        if key not in self.metadata:
            return ("crack",) * count
        return tuple(
            self._get(
                key,
                f"a list of {count}, one for each class, of {', '.join(KINDS)}, at least one of them crack",
                lambda v: (
                    isinstance(v, list | tuple)
                    and len(v) == count
                    and all(x in KINDS for x in v)
                    and "crack" in v
                ),
            )
        )


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)

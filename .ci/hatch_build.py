"""Puts `cli.py` into the wheel as `crackpipe/cli.py`: hatchling's `sources` rename folders only."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CliHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs before a wheel is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds the file. An editable install needs no copy: it has the link."""
        if version != "editable":
            build_data["force_include"]["cli.py"] = "crackpipe/cli.py"

"""Crack maps from survey-vehicle imagery: tiles in, georeferenced crack lines with widths out."""

__version__ = "0.1.0"

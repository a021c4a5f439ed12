"""Masks as a run stores them, drawn in memory."""

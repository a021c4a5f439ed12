"""Outputs of two years, written from known cracks."""

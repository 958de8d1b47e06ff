"""Diemcau: a floor-controlled conferencing server. See docs/journeys.md for a walk through the code."""

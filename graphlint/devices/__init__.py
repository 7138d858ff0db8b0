"""Devices: what graphlint has measured of one, and what it foretells from that without a runtime.

`profile` holds the values, `file` reads and writes them; `prediction` goes from a graph's costs to
seconds. See `docs/calibrate.md`.
"""

"""The page of `graphlint profile --output-format html`: one file, no network, no library."""

from graphlint.report.html.page import render
from graphlint.report.html.roofline import Ceilings

__all__ = ["Ceilings", "render"]

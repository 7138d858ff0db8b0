"""The page of `graphlint profile --output-format html`: one file, no network, no library."""

from graphlint.report.html.page import render

__all__ = ["render"]

"""Reports with findings made by hand, for the reporters of `check`: plain, hostile and many."""

from __future__ import annotations

from collections.abc import Sequence

from graphlint.findings import Finding, FoundSite, Location, Severity
from graphlint.problem import Problem
from graphlint.results import ModelReport, Report, Totals

VERSION = "1.2.3"

HOSTILE = (
    "\x1b[2J\x07\x00 control",
    "bidi \u202e\u2066 \u200b\u2028",
    '<script>alert(1)</script><img src="x" onerror=y> &lt; \'',
    "line\nbreak\r\nfeed",
    "\n::error file=a,title=b::forged",
    "%0A::error::forged %25 a,b:c ##[error]forged",
    "cdata ]]> <!-- --> </details></failure>",
    "@octocat \\@octocat #1 GH-1 https://evil.example www.evil.example a@evil.example",
    "[text](https://evil.example) ![x](y) `code` | cell | **bold** ~~x~~ $x$ \\",
    "{0} {{1}} [x](1)",
    "\ud800 lone \ufffe\uffff",
    "x" * 1_000_000,
    "",
    " ",
)


def site(model: str, *nodes: str, excess: int | None = 1024) -> FoundSite:
    """A site at the nodes."""
    return FoundSite(Location(model, nodes), excess)


def finding(
    *sites: FoundSite,
    code: str = "G4",
    severity: Severity = Severity.WARNING,
    message: str = "Add of activations: moves 1.00 KiB.",
    advice: str = "a design choice",
    fingerprint: str = "f" * 32,
) -> Finding:
    """A finding at the sites."""
    counted = [each.excess_bytes for each in sites if each.excess_bytes is not None]
    return Finding(
        code,
        "elementwise-traffic",
        severity,
        message,
        advice,
        sites,
        sum(counted) if counted else None,
        fingerprint,
    )


def model(path: str, findings: Sequence[Finding] = (), *errors: Problem) -> ModelReport:
    """A model that could be read."""
    totals = Totals(10, 0, 2_000_000, 0, 51_200, 204_800, 3_000)
    return ModelReport(
        path,
        17,
        totals=totals,
        findings=tuple(findings),
        errors=errors,
        rules=("G1", "G4"),
    )


def broken(path: str) -> ModelReport:
    """A model that could not be read."""
    problem = Problem(f"{path}: a truncated model", "it ends at byte 5000", "copy it again")
    return ModelReport(path, errors=(problem,))


def plain() -> Report:
    """A model with an error, a warning and an info, a clean one, a broken one, a bad path."""
    return Report(
        VERSION,
        (
            model(
                "models/a.onnx",
                [
                    finding(
                        site("models/a.onnx", "/stage2/Add", "/stage2/Relu"),
                        site("models/a.onnx", "/stage3/Add"),
                    ),
                    finding(
                        site("models/a.onnx", "/join", excess=None),
                        code="G3",
                        severity=Severity.ERROR,
                    ),
                    finding(site("models/a.onnx", "/dw"), severity=Severity.INFO),
                ],
            ),
            model("models/clean.onnx"),
            broken("models/broken.onnx"),
        ),
        (Problem("missing.onnx: no such file", "it is not there", "look at the path"),),
    )


def hostile_path(text: str) -> str:
    """As much of `text` in a path as a file system takes."""
    return f"m{text[:200]}.onnx".replace("\0", "").replace("\ud800", "\udcff")


def hostile() -> Report:
    """Hostile text wherever a model, a path or a plug-in can put it; as much of it as fits."""
    models = []
    for number, text in enumerate(HOSTILE):
        path = f"{number}{hostile_path(text)}"
        models.append(
            model(
                path,
                [finding(site(path, text, text), message=text, advice=text, fingerprint="0" * 32)],
                Problem(f"{path}: {text}", text, text),
            )
        )
    errors = tuple(Problem(text, text, text) for text in HOSTILE)
    return Report(VERSION, tuple(models), errors)


def many(count: int = 20_000) -> Report:
    """One model of many findings."""
    found = [
        finding(
            site("big.onnx", f"/block{number}/Add", excess=number),
            fingerprint=f"{number % 100:032x}",
        )
        for number in range(count)
    ]
    return Report(VERSION, (model("big.onnx", found),))

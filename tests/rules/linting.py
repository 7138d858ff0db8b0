"""From a model, or its text, to the sites that a rule finds in it."""

from pathlib import Path
from textwrap import dedent

from onnx import ModelProto, parser

from graphlint import shapes
from graphlint.bindings import Bindings
from graphlint.costs.table import HANDLES
from graphlint.costs.totals import node_costs
from graphlint.graph_builder import build
from graphlint.model import Model
from graphlint.rule import Context, OptionValue, Rule, Site

HEADER = '<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>\n'


def parsed(text: str) -> ModelProto:
    """The model of a text; one without a header is of opset 17 with com.microsoft's operators."""
    text = dedent(text).strip()
    return parser.parse_model(text if text.startswith("<ir_version") else HEADER + text)


def context_of(
    model: ModelProto | str, rule: Rule, limit: int | None = None, **options: OptionValue
) -> Context:
    """What the rule is given to look at; options are spelt with underscores."""
    proto = parsed(model) if isinstance(model, str) else model
    view, _ = shapes.infer(build(Model("model", Path("model"), proto, 1, 1)), Bindings())
    chosen = {option.name: option.default for option in rule.options}
    chosen.update({name.replace("_", "-"): value for name, value in options.items()})
    assert len(chosen) == len(rule.options), "an option that the rule has not"
    return Context(view, node_costs(view, HANDLES), chosen, limit)


def sites(
    rule: Rule, model: ModelProto | str, limit: int | None = None, **options: OptionValue
) -> list[Site]:
    """The sites that the rule finds."""
    return list(rule.check(context_of(model, rule, limit, **options)))


def operators(site: Site) -> list[str]:
    """The operators of the site's nodes."""
    return [node.op for node in site.nodes]

"""One rewrite of one model, and what every stage of it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from graphlint import __version__, registry
from graphlint.engine import check
from graphlint.errors import RewriteError, UsageError
from graphlint.graph import GraphView
from graphlint.request import Request
from graphlint.rewrites import AUTO, Edit, Matches, Plan, Refusal, Rewrite
from graphlint.rewriting.request import Progress, RewriteRequest
from graphlint.rewriting.results import Figures
from graphlint.rewriting.save import save
from graphlint.rewriting.splice import Splice, splice
from graphlint.rewriting.subject import Source, read
from graphlint.rule import OptionValue

Tell = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Job:
    """A request, the model that was read for it, and the matches that it is about."""

    request: RewriteRequest
    tell: Tell
    rewrite: Rewrite
    source: Source
    matches: Matches

    def plan_names(self) -> tuple[str, ...]:
        """The plans to try.

        Raises:
            UsageError: the rewrite has no such plan.
        """
        plan = self.request.plan
        if plan == AUTO:
            return self.rewrite.plans
        if plan not in self.rewrite.plans:
            names = (AUTO, *self.rewrite.plans)
            raise UsageError(
                f"--plan {plan}: {self.rewrite.name} has no such plan",
                cause=f"its plans are {', '.join(names)}",
                hint=registry.did_you_mean(plan, names),
            )
        return (plan,)

    def plan(self, name: str) -> Plan | Refusal:
        """The plan of this name, or why it can't be made."""
        options = self.options()
        return self.rewrite.stages().plan(self.source.subject, self.matches, name, options)

    def options(self) -> Mapping[str, OptionValue]:
        """The rewrite's options, those of the request and else the defaults.

        Raises:
            UsageError: the rewrite has no such option.
        """
        known = {option.name: option.default for option in self.rewrite.options}
        for name in self.request.options:
            if name not in known:
                raise UsageError(
                    f"--{name}: {self.rewrite.name} has no such option",
                    cause=f"its options are {', '.join(known) or 'none'}",
                    hint="leave it out",
                )
        return {**known, **self.request.options}

    def write(self, plan: Plan, edits: Sequence[Edit], path: Path) -> None:
        """Write the model with the edits to a temporary path; the original is left as it was."""
        other = registry.rewrites().get(plan.then)
        first = path if other is None else path.with_name(f"{path.stem}.first.onnx")
        with self._spliced(plan, edits) as spliced:
            new = spliced.initializers
            save(self.source.proto, self.source.file, first, force=True, new=new)
        if other is not None:
            self._continue(other, first, path)

    def _continue(self, other: Rewrite, first: Path, path: Path) -> None:
        """Do another rewrite, an exact one, to what was written."""
        source = read(str(first), self.source.bindings)
        stages = other.stages()
        matches = stages.match(source.subject)
        request = replace(self.request, options={})
        job = Job(request, self.tell, other, source, matches)
        plan = job.plan(other.plans[0])
        if not matches.matches or isinstance(plan, Refusal):
            save(source.proto, first, path, force=True)
            return
        weights = stages.start(source.subject, plan, request.seed)
        job.write(plan, stages.edit(source.subject, plan, weights), path)

    @contextmanager
    def _spliced(self, plan: Plan, edits: Sequence[Edit]) -> Iterator[Splice]:
        provenance = f"onnx-graphlint {__version__} {self.rewrite.name} plan={plan.name}"
        stale = () if plan.keeps_shapes else _downstream(self.source.subject.view, edits)
        spliced = splice(self.source.proto, edits, provenance, dict.fromkeys(stale))
        try:
            yield spliced
        finally:
            spliced.undo()

    def figures(self, path: Path) -> Figures:
        """A model's costs and findings, by the settings of the request.

        Raises:
            RewriteError: it can't be read.
        """
        settings = self.request.settings
        bound = tuple(
            f"{name}:{'x'.join(map(str, shape))}"
            for name, shape in self.source.bindings.shapes.items()
        )
        # Budgets hold by a model's path, and these files are not at theirs.
        settings = replace(settings, per_file_ignores=(), budgets=(), input_shape=bound)
        checked = check(Request(str(path), settings, strict_shapes=False))
        if checked.totals is None:
            problem = checked.errors[0]
            raise RewriteError(problem.message, cause=problem.cause, hint=problem.hint)
        found = dict.fromkeys(checked.rules, 0)
        for finding in checked.findings:
            found[finding.code] += len(finding.sites)
        totals = checked.totals
        return Figures(totals.multiply_adds, totals.memory_access_bytes, totals.parameters, found)


def _downstream(view: GraphView, edits: Sequence[Edit]) -> Iterator[str]:
    """Every value that the edited nodes make, or that depends on one."""
    edited = {node.index for edit in edits for node in edit.removed}
    changed: set[str] = set()
    for node in view.nodes:
        if node.index in edited or not changed.isdisjoint(node.inputs):
            changed.update(node.outputs)
            yield from node.outputs

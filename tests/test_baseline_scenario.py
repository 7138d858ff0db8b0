"""A team's repository with a baseline: what blocks a commit, and what must not."""

import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import jsonschema
import onnx
import pytest
from onnx import ModelProto

import graphlint as graphlint_package
from tests.in_process import graphlint
from tests.test_cli import FIXTURES, ROOT
from tests.test_pre_commit import git

MODELS = (
    "shufflenet_v1 shufflenet_v1_bn shufflenet_v1_dynamic_batch shufflenet_v1_unit_stride1 "
    "shufflenet_v2 shufflenet_v2_unit_stride2 mobilenet_v2_block mobilenet_v3_block "
    "resnet_bottleneck inception_v1_module"
).split()


class Repository:
    """A git repository with models, a configuration, and the baseline of its findings."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return graphlint("check", *arguments, cwd=self.path)

    def change(self, name: str, by: Callable[[ModelProto], ModelProto], to: str = "") -> None:
        path = self.path / "models" / f"{name}.onnx"
        proto = by(onnx.load(path))
        path.unlink()
        onnx.save(proto, self.path / "models" / f"{to or name}.onnx")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("repository")
    (path / "models").mkdir()
    for name in MODELS:
        (path / "models" / f"{name}.onnx").write_bytes((FIXTURES / f"{name}.onnx").read_bytes())
    (path / "graphlint.toml").write_text('baseline = "graphlint-baseline.json"\n')
    git(path, "init", "--quiet")
    done = graphlint("check", ".", "--update-baseline", cwd=path)
    assert done.returncode == 0, done.stderr
    assert "No new findings in 10 models." in done.stdout
    git(path, "add", "--all")
    git(path, "commit", "--quiet", "--message", "models and their baseline")
    return path


@pytest.fixture
def repository(made: Path) -> Repository:
    git(made, "reset", "--quiet", "--hard")
    git(made, "clean", "--quiet", "-fd")
    return Repository(made)


def renamed(proto: ModelProto) -> ModelProto:
    """The model with other names of nodes and inner values."""
    kept = {value.name for value in (*proto.graph.input, *proto.graph.output)}
    kept |= {tensor.name for tensor in proto.graph.initializer} | {""}
    for i, node in enumerate(proto.graph.node):
        node.name = f"n{i}"
        for names in (node.input, node.output):
            names[:] = [name if name in kept else f"v_{name}" for name in names]
    del proto.graph.value_info[:]
    return proto


def reordered(proto: ModelProto) -> ModelProto:
    """The model with its nodes in another topological order."""
    left = list(proto.graph.node)
    random.Random(1).shuffle(left)
    made = {name for node in left for name in node.output}
    order = []
    while left:
        ready = next(n for n in left if not any(name in made for name in n.input))
        left.remove(ready)
        made -= set(ready.output)
        order.append(ready)
    del proto.graph.node[:]
    proto.graph.node.extend(order)
    return proto


def exported_again(proto: ModelProto) -> ModelProto:
    """As another exporter would write it: an Identity in front of every sum, other names."""
    nodes = []
    for node in proto.graph.node:
        if node.op_type == "Add":
            nodes.append(onnx.helper.make_node("Identity", [node.input[0]], [f"{node.name}_in"]))
            node.input[0] = f"{node.name}_in"
        nodes.append(node)
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    return renamed(proto)


def with_its_last_sum_twice(proto: ModelProto) -> ModelProto:
    """The model, adding the last shortcut once more."""
    last = [node for node in proto.graph.node if node.op_type == "Add"][-1]
    result = last.output[0]
    last.output[0] = "once"
    again = onnx.helper.make_node("Add", ["once", last.input[0]], [result], name="/again")
    proto.graph.node.insert(list(proto.graph.node).index(last) + 1, again)
    return proto


def test_another_export_raises_no_alarm(repository: Repository) -> None:
    repository.change("shufflenet_v1", renamed)
    repository.change("shufflenet_v1_bn", reordered)
    repository.change("mobilenet_v2_block", lambda proto: reordered(renamed(proto)))
    repository.change("shufflenet_v1_unit_stride1", exported_again)
    repository.change("resnet_bottleneck", renamed, to="bottleneck")
    done = repository.check(".")
    assert done.returncode == 0, done.stdout
    assert " new" not in done.stdout.splitlines()[-1].replace("No new", "")
    assert done.stderr == (
        "note: models/resnet_bottleneck.onnx is now models/bottleneck.onnx: --update-baseline has "
        "graphlint-baseline.json say so\n"
    )


def test_a_model_made_worse_blocks_and_says_what_got_worse(repository: Repository) -> None:
    repository.change("shufflenet_v1", with_its_last_sum_twice)
    page = (ROOT / "docs" / "baseline.md").read_text(encoding="utf-8")
    assert repository.check("models/shufflenet_v1.onnx").stdout in page
    done = repository.check("models")
    assert done.returncode == 1
    assert "2 places, the baseline has 1" in done.stdout
    assert done.stdout.rstrip().endswith("in the baseline, 1 worse. Explain: graphlint rule G4"), (
        done.stdout[-200:]
    )
    assert len(done.stdout.splitlines()) < 40
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
    document = json.loads(repository.check("models", "--output-format", "json").stdout)
    jsonschema.Draft202012Validator(schema).validate(document)
    counts = document["baseline"]
    assert (counts["new"], counts["worse"], counts["fixed"]) == (0, 1, 0)
    (worse,) = [found for each in document["models"] for found in each["findings"]]
    assert worse["known"] == {"sites": 1, "excess_bytes": 4608}


def test_the_function_takes_a_baseline_too(repository: Repository) -> None:
    file = repository.path / "graphlint-baseline.json"
    report = graphlint_package.check(repository.path / "models", baseline=str(file))
    assert report.findings == ()
    assert report.baseline is not None
    assert report.baseline.known > 0


def test_another_model_in_its_place_is_new_and_fixed(repository: Repository) -> None:
    (repository.path / "models/shufflenet_v2.onnx").write_bytes(
        (FIXTURES / "shufflenet_v1.onnx").read_bytes()
    )
    done = repository.check("--output-format", "concise", "models/shufflenet_v2.onnx")
    assert done.returncode == 1
    assert "G2 warning" in done.stdout
    assert "fixed (G4)" in done.stderr


def test_what_is_fixed_is_told_and_updated_by_a_partial_run(repository: Repository) -> None:
    def without_sum(proto: ModelProto) -> ModelProto:
        (add,) = [node for node in proto.graph.node if node.op_type == "Add"]
        add.op_type = "Identity"
        del add.input[1:]
        return proto

    repository.change("mobilenet_v2_block", without_sum)
    path = repository.path / "models" / "mobilenet_v2_block.onnx"
    done = graphlint("check", path.name, cwd=path.parent)  # as a hook would pass what has changed
    assert done.returncode == 0
    assert "1 fixed (G4): --update-baseline" in done.stderr
    graphlint("check", path.name, "--update-baseline", cwd=path.parent)
    (removed,) = [
        line
        for line in git(repository.path, "diff", "graphlint-baseline.json").splitlines()
        if line[0] in "+-" and line[1] == "{"
    ]
    assert '-{"model": "models/mobilenet_v2_block.onnx", "code": "G4"' in removed
    assert graphlint("check", path.name, cwd=path.parent).stderr == ""


def test_a_broken_model_does_not_lose_its_entries(repository: Repository) -> None:
    path = repository.path / "models" / "shufflenet_v1.onnx"
    path.write_bytes(path.read_bytes()[:5000])
    assert repository.check(".", "--update-baseline").returncode == 2
    assert "graphlint-baseline.json" not in git(repository.path, "status", "--short")


def test_a_baseline_that_is_broken_is_an_error_before_anything_is_checked(
    repository: Repository,
) -> None:
    (repository.path / "graphlint-baseline.json").write_text('{"schema": 7}')
    done = repository.check(".")
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: graphlint-baseline.json: a baseline of schema 7" in done.stderr
    assert repository.check(".", "--isolated").returncode == 1

"""The rule and the rewrite that the docs have one write, made as they say, installed, and run."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the packs of the docs were installed."""
    pages = ("writing-a-rule.md", "writing-a-rewrite.md")
    text = "\n".join((ROOT / "docs" / page).read_text(encoding="utf-8") for page in pages)
    files = re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (project, description), *modules = files
    assert project == "pyproject.toml"
    assert [name for name, _ in modules] == [
        "graphlint_large_kernels.py",
        "graphlint_repeated_relu.py",
    ]
    target = tmp_path_factory.mktemp("site")
    for name, content in modules:
        folder = tmp_path_factory.mktemp("pack")
        module = name.removesuffix(".py")
        own = description.replace("graphlint_large_kernels", module)
        own = own.replace("graphlint-large-kernels", module.replace("_", "-"))
        (folder / project).write_text(own, encoding="utf-8")
        (folder / name).write_text(content, encoding="utf-8")
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation"),
                *("--no-deps", "--no-index", "--target", target, folder),
            ],
            check=True,
        )
    return target


def graphlint(installed: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "graphlint", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": str(installed),
            "PYTHONIOENCODING": "utf-8",
            "PRE_COMMIT": "1",
        },
        check=False,
    )


def model(path: Path, side: int) -> Path:
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], name="stem", pads=[side // 2] * 4)],
        "example",
        [
            info("x", TensorProto.FLOAT, [1, 3, 32, 32]),
            info("w", TensorProto.FLOAT, [8, 3, side, side]),
        ],
        [info("y", TensorProto.FLOAT, [1, 8, 32, 32])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def test_the_rule_is_listed_with_its_page(installed: Path) -> None:
    assert "K1  large-kernel" in graphlint(installed, "rule").stdout
    assert "## What to do instead" in graphlint(installed, "rule", "K1").stdout


def test_the_rule_finds_and_its_option_holds(installed: Path, tmp_path: Path) -> None:
    large = model(tmp_path / "large.onnx", 7)
    done = graphlint(installed, "check", "--select", "K1", large)
    assert done.returncode == 1, done.stderr
    assert "a 7×7 kernel: 49 multiply-adds" in done.stdout
    assert graphlint(installed, "check", model(tmp_path / "small.onnx", 3)).returncode == 0
    (tmp_path / "graphlint.toml").write_text("[rules.K1]\nmax-kernel = 7\n")
    assert graphlint(installed, "check", "--select", "K1", large).returncode == 0


def test_a_rule_that_raises_is_an_error_and_the_others_go_on(
    installed: Path, tmp_path: Path
) -> None:
    rule = installed / "graphlint_large_kernels.py"
    original = rule.read_text(encoding="utf-8")
    rule.write_text(original.replace("kernel = shape[2:]", "kernel = shape[9]"), encoding="utf-8")
    try:
        done = graphlint(installed, "check", ROOT / "fixtures" / "shufflenet_v1.onnx")
    finally:
        rule.write_text(original, encoding="utf-8")
    assert done.returncode == 2
    assert "the rule K1 failed" in done.stdout
    assert "IndexError" in done.stdout
    assert "graphlint-large-kernels 0.1.0" in done.stdout
    assert "G2 excessive-group-convolution" in done.stdout


def test_a_pack_that_cannot_be_imported_is_named(installed: Path, tmp_path: Path) -> None:
    rule = installed / "graphlint_large_kernels.py"
    original = rule.read_text(encoding="utf-8")
    rule.write_text("import no_such_module\n", encoding="utf-8")
    try:
        done = graphlint(installed, "rule")
    finally:
        rule.write_text(original, encoding="utf-8")
    assert done.returncode == 2
    assert "graphlint-large-kernels 0.1.0" in done.stderr
    assert "no_such_module" in done.stderr
    assert "Traceback" not in done.stderr


def relus(path: Path) -> Path:
    """Three Relus in a row, and two whose first is an output too."""
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [
            helper.make_node("Relu", [source], [result], name=result)
            for source, result in zip("xabxe", "abcef", strict=True)
        ],
        "example",
        [info("x", TensorProto.FLOAT, [4])],
        [info(name, TensorProto.FLOAT, [4]) for name in "cef"],
    )
    imports = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), path)
    return path


@pytest.mark.skipif(find_spec("onnxruntime") is None, reason="onnxruntime is not installed")
def test_the_rewrite_is_listed_run_and_verified(installed: Path, tmp_path: Path) -> None:
    assert "repeated-relu" in graphlint(installed, "rule").stdout
    out = tmp_path / "out.onnx"
    done = graphlint(
        installed, "rewrite", relus(tmp_path / "in.onnx"), "-o", out, "--rewrite", "repeated-relu"
    )
    assert done.returncode == 0, done.stderr
    assert "exact: the model computes what it did" in done.stdout
    assert "somebody else reads what stands before it" in done.stdout
    assert [node.op_type for node in onnx.load(out).graph.node] == ["Relu"] * 4


def test_a_rewrite_that_is_not_exact_is_caught(installed: Path, tmp_path: Path) -> None:
    module = installed / "graphlint_repeated_relu.py"
    original = module.read_text(encoding="utf-8")
    wrong = original.replace("first.outputs.clear()", 'first.outputs.clear(); second.op = "Neg"')
    module.write_text(wrong, encoding="utf-8")
    out = tmp_path / "out.onnx"
    try:
        done = graphlint(
            installed,
            "rewrite",
            relus(tmp_path / "i.onnx"),
            "-o",
            out,
            "--rewrite",
            "repeated-relu",
        )
    finally:
        module.write_text(original, encoding="utf-8")
    assert done.returncode == 2
    assert "computes something else" in done.stderr
    assert not out.exists()

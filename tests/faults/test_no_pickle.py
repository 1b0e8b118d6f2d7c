"""Nothing that is read can run: no pickle is loaded, no YAML builds objects, no text is evaluated, no shell called."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = ("src", "docs", "benchmarks")
# Modules whose loading functions run what a file says. One of the package's may use pickle, for a closed unpickler.
PICKLING = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
CLOSED = {"src/trainability/raw_cifar.py": {"pickle.Unpickler", "pickle.UnpicklingError"}}
NEVER = {
    "eval", "exec", "compile", "__import__", "torch.load", "pd.read_pickle", "pandas.read_pickle", "yaml.unsafe_load",
    "yaml.full_load", "yaml.load_all", "os.system", "os.popen", "torch.hub.load", "runpy.run_path",
}  # fmt: skip
SAFE_LOADERS = {"yaml.SafeLoader", "yaml.CSafeLoader", "_Closed", "Loader"}  # the last two: documents.py


def dotted(node: ast.AST) -> str:
    """`np.load` of the node for it; empty if it is no name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inside = dotted(node.value)
        return f"{inside}.{node.attr}" if inside else ""
    return ""


def found(source: str, admitted: frozenset[str] | set[str] = frozenset()) -> Iterator[str]:
    """What in a source could run something that it reads."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in PICKLING:
            yield f"from {node.module} import"
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in PICKLING and not admitted)
        elif isinstance(node, ast.Attribute) and dotted(node.value) in PICKLING and dotted(node) not in admitted:
            yield dotted(node)
        elif isinstance(node, ast.Call):
            yield from _called(node)


def _called(node: ast.Call) -> Iterator[str]:
    name = dotted(node.func)
    given = {word.arg: word.value for word in node.keywords}
    if name in NEVER:
        yield name
    refuses = given.get("allow_pickle")
    refused = isinstance(refuses, ast.Constant) and refuses.value is False
    if (name in ("np.load", "numpy.load") or refuses) and not refused:
        yield f"{name}, and not allow_pickle=False"
    if name == "yaml.load" and dotted(given.get("Loader", ast.Constant(None))) not in SAFE_LOADERS:
        yield name
    if isinstance(given.get("shell"), ast.Constant) and given["shell"].value:  # type: ignore[attr-defined]
        yield f"{name} in a shell"


FILES = [path.relative_to(ROOT).as_posix() for place in PLACES for path in sorted((ROOT / place).rglob("*.py"))]


@pytest.mark.parametrize("file", FILES)
def test_nothing_runs_what_it_reads(file: str) -> None:
    assert list(found((ROOT / file).read_text(), CLOSED.get(file, set()))) == []


def test_rules_call_no_shell() -> None:
    for path in [ROOT / "Snakefile", *(ROOT / "workflow").rglob("*.smk")]:
        words = path.read_text().split()
        assert not {"shell:", "eval(", "exec("} & set(words), path


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib",
        "import pickle\npickle.loads(x)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=given)",
        "other(allow_pickle=True)",
        "torch.load(path)",
        "pd.read_pickle(path)",
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.Loader)",
        "yaml.unsafe_load(text)",
        "eval(text)",
        "exec(text)",
        "subprocess.run(text, shell=True)",
        "os.system(text)",
    ],
)
def test_each_of_these_would_be_found(source: str) -> None:
    assert list(found(source))


def test_what_is_safe_is_not_found() -> None:
    safe = "np.load(f, allow_pickle=False)\nyaml.load(t, Loader=_Closed)\nyaml.safe_load(t)\nsubprocess.run(['ls'])"
    assert list(found(safe)) == []
    unpickler = "import pickle\nclass Closed(pickle.Unpickler): ..."
    assert list(found(unpickler, {"pickle.Unpickler"})) == []
    assert list(found(f"{unpickler}\npickle.loads(x)", {"pickle.Unpickler"})) == ["pickle.loads"]

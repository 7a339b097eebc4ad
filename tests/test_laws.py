"""Laws of the house: what holds for the package as a whole."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pickle
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sinagot
from sinagot import errors

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sinagot"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))

MOST_LINES = 450

# Ruling 2: packages whose __init__ holds more than a docstring.
INIT_WITH_CODE = {
    "sinagot/__init__.py",
    "sinagot/config/__init__.py",
    "sinagot/errors/__init__.py",
    "sinagot/flow/__init__.py",
    "sinagot/models/__init__.py",
    "sinagot/pipeline/__init__.py",
}

HEAVY = (
    "pandas",
    "numpy",
    "dask",
    "distributed",
    "pydantic",
    "rich",
    "matplotlib",
    "IPython",
    "click",
    "fastapi",
    "starlette",
    "uvicorn",
    "jinja2",
)

# All that `import sinagot` may load beside the standard library.
MAY_BE_LOADED = {"sinagot"}


def name_of(path: Path) -> str:
    """Return the path of a file in the repository, as the tests' ids."""
    return path.relative_to(ROOT).as_posix()


def modules_after(statement: str) -> set[str]:
    """Return the names of all modules that a statement loads in a fresh interpreter."""
    code = f"""
import sys
before = set(sys.modules)
{statement}
found = sorted(set(sys.modules) - before)
import json
print(json.dumps(found))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(json.loads(done.stdout))


def error_classes() -> list[type[errors.SinagotError]]:
    """Return every error class of the package."""
    found = [value for value in vars(errors).values() if inspect.isclass(value)]
    return [value for value in found if issubclass(value, errors.SinagotError)]


def test_exported_names_are_sorted_and_there() -> None:
    """`sinagot.__all__` is sorted, without doubles, and every name in it resolves."""
    assert list(sinagot.__all__) == sorted(set(sinagot.__all__))
    for name in sinagot.__all__:
        assert getattr(sinagot, name) is not None


def test_exported_names_are_complete() -> None:
    """`dir(sinagot)` offers what is exported, and every exported class or function says what it is."""
    assert set(sinagot.__all__) <= set(dir(sinagot))
    assert {"ScriptTemplate", "Workspace"} <= set(sinagot.__all__)
    for name in ("ConfigurationError", "SinagotError", "StepFailedError"):
        assert getattr(sinagot, name) is getattr(errors, name)
    exported = [getattr(sinagot, name) for name in sinagot.__all__]
    assert all(value.__doc__ for value in exported if inspect.isclass(value) or inspect.isfunction(value))


def test_errors_are_exported_completely() -> None:
    """Every error class is in `errors.__all__`, which is sorted, and in the tree at the top of the file."""
    names = {kind.__name__ for kind in error_classes()}
    assert list(errors.__all__) == sorted(names)
    assert errors.__doc__ is not None
    assert all(name in errors.__doc__ for name in names)


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.__name__)
def test_errors_survive_pickling(kind: type[errors.SinagotError]) -> None:
    """An error comes out of a pickle with its class, its text and its facts."""
    facts = {name: f"value of {name}" for name in kind.FACTS}
    error = pickle.loads(pickle.dumps(kind("what went wrong", **facts)))
    assert type(error) is kind
    assert str(error) == "what went wrong"
    assert {name: getattr(error, name) for name in kind.FACTS} == facts


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.__name__)
def test_errors_have_a_standard_parent(kind: type[errors.SinagotError]) -> None:
    """Each error but the base is caught by a standard class that a user would think of."""
    if kind is not errors.SinagotError:
        assert any(parent.__module__ == "builtins" for parent in kind.__mro__[1:-3])


@pytest.mark.parametrize(
    "statement", ["import sinagot", "from sinagot import errors", "import sinagot.dataset.commit"]
)
def test_import_is_light(statement: str) -> None:
    """Importing loads the standard library and ourselves, nothing else."""
    loaded = {name.partition(".")[0] for name in modules_after(statement)}
    assert not loaded.intersection(HEAVY)
    assert loaded - set(sys.stdlib_module_names) <= MAY_BE_LOADED


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_module_has_a_docstring(path: Path) -> None:
    """Every module says what it knows."""
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_module_is_a_room_not_a_hall(path: Path) -> None:
    """No module is longer than 450 lines."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name == "__init__.py"], ids=name_of)
def test_package_init_holds_no_code(path: Path) -> None:
    """A package's __init__ is its docstring; the exceptions are known by name."""
    if name_of(path) not in INIT_WITH_CODE:
        assert len(ast.parse(path.read_text(encoding="utf-8")).body) == 1


def test_every_folder_of_code_is_a_package() -> None:
    """No folder of modules lacks its __init__, which would hide it from the linter of the layers."""
    assert [name_of(path.parent) for path in SOURCES if not (path.parent / "__init__.py").is_file()] == []


def test_no_room_for_odds_and_ends() -> None:
    """No module is called utils, helpers, common or manager; `sinagot.utils` keeps an established name."""
    bad = {"utils", "helpers", "common", "manager"}
    assert [name_of(path) for path in SOURCES if path.stem in bad and path != PACKAGE / "utils.py"] == []


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_tests_state_their_law(path: Path) -> None:
    """Every test has a docstring: the sentence that holds."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    tests = [
        node
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    assert [node.name for node in tests if not ast.get_docstring(node)] == []


@pytest.mark.parametrize("what", ["all contracts", "layers, with imports for annotations"])
def test_layers(what: str, tmp_path: Path) -> None:
    """Imports point down the layers, and heavy packages are imported where setup.cfg says, nowhere else."""
    options, text = "", (ROOT / "setup.cfg").read_text(encoding="utf-8")
    if what != "all contracts":
        options = "limit_to_contracts=('layers',), "
        text = text.replace("exclude_type_checking_imports = True", "exclude_type_checking_imports = False")
        assert "exclude_type_checking_imports = False" in text
    (tmp_path / "setup.cfg").write_text(text, encoding="utf-8")
    options += f"config_filename={str(tmp_path / 'setup.cfg')!r}, no_cache=True"
    code = f"import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports({options}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout[done.stdout.find("Contracts") :] + done.stderr


def test_all_modules_can_be_imported() -> None:
    """Every module can be imported with what the package requires; an optional one says which extra it needs."""
    failures = []
    for module in pkgutil.walk_packages([str(PACKAGE)], "sinagot."):
        if not module.name.endswith("__main__"):
            try:
                importlib.import_module(module.name)
            except errors.MissingExtraError as error:
                failures += [] if vars(error).get("extra") else [module.name]
    assert failures == []


def test_version_is_one() -> None:
    """The version is written in one place, and CITATION.cff agrees."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" not in project
    assert f"version: {sinagot.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_requirements_are_what_is_imported() -> None:
    """Every third-party package that a module imports is a requirement or belongs to an extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = project["dependencies"] + [
        line for lines in project["optional-dependencies"].values() for line in lines
    ]
    known = {line.split(">")[0].split("[")[0].lower().replace("-", "_") for line in lines}
    # Import names that differ from the names of their packages, and what comes with a requirement of ours.
    known |= {
        "json_log_formatter",
        "concurrent_log_handler",
        "numpy",
        "cloudpickle",
        "portalocker",
        "pydantic_core",
        "ruamel",
        "tornado",
        "typing_extensions",
        "yaml",
    }
    imported = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    assert imported - set(sys.stdlib_module_names) - known <= {"sinagot"}

"""The wheel holds all that a machine without Node.js needs, and nothing that only a checkout needs."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from quanyu import __version__
from tests.unit.tooling.project import ROOT, committed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout. The console in it is the one that `make test` has built before."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("quanyu-*.whl"))


def test_everything_of_both_packages_is_in_it(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    tracked = [path.relative_to(ROOT) for path in committed()]
    wanted = {str(Path(*path.parts[1:])) for path in tracked if path.parts[0] in {"src", "sandbox"}}
    assert "quanyu/py.typed" in wanted
    assert "quanyu_sandbox/py.typed" in wanted
    assert sorted(wanted - inside) == []


def test_the_console_is_in_it_compressed_and_with_its_licences(wheel: Path) -> None:
    inside = zipfile.ZipFile(wheel).namelist()
    console = [name.removeprefix("quanyu/http/static/console/") for name in inside if "/static/console/" in name]
    assert {"index.html", "THIRD_PARTY.txt"} <= set(console)
    scripts = [name for name in console if name.startswith("assets/") and name.endswith(".js")]
    assert scripts
    large = [
        name
        for name in scripts
        if zipfile.ZipFile(wheel).getinfo(f"quanyu/http/static/console/{name}").file_size > 4096
    ]
    assert all(f"{name}.br" in console and f"{name}.gz" in console for name in large)


def test_nothing_of_the_checkout_is_in_it(wheel: Path) -> None:
    inside = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in inside} - {"quanyu", "quanyu_sandbox"} == {f"quanyu-{__version__}.dist-info"}
    assert [name for name in inside if "node_modules" in name or "__pycache__" in name] == []


def test_it_runs_without_the_checkout_and_without_node(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    program = "import quanyu, quanyu_sandbox, quanyu.cli as cli; print(quanyu.__file__); cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--help"],
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": "", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
        | {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == str(tmp_path / "site/quanyu/__init__.py")
    for command in ("demo", "serve", "worker", "doctor"):
        assert command in done.stdout

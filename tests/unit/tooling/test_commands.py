"""The commands that the prose tells people to run exist, and CI runs the one that the README names."""

import os
import re
import subprocess

import pytest

from tests.unit.tooling.project import PROSE, ROOT, make_targets


def _commands(text: str, tool: str) -> set[str]:
    """What follows `tool` where it is written as code."""
    code = re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL) + re.findall(r"`([^`\n]+)`", text)
    return {name for block in code for name in re.findall(rf"^\s*{tool} ([a-z][a-z-]*)", block, flags=re.MULTILINE)}


@pytest.mark.parametrize("name", PROSE)
def test_every_make_command_in_the_prose_is_a_target(name: str) -> None:
    wanted = _commands((ROOT / name).read_text(encoding="utf-8"), "make")
    assert wanted
    assert wanted <= make_targets()


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_every_quanyu_command_in_the_readme_is_one(name: str) -> None:
    from quanyu.cli.main import app

    known = {one.name or one.callback.__name__ for one in app.registered_commands if one.callback}
    wanted = _commands((ROOT / name).read_text(encoding="utf-8"), "quanyu")
    assert {"demo", "init", "serve", "worker", "doctor"} <= wanted
    assert wanted <= known


def test_both_readmes_tell_the_same() -> None:
    english, chinese = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
    assert _commands(english, "make") == _commands(chinese, "make")
    assert _commands(english, "quanyu") == _commands(chinese, "quanyu")
    assert english.count("\n## ") == chinese.count("\n## ")
    assert english.count("\n* ") == chinese.count("\n* ")
    timings = [dict(re.findall(r"<!-- timing:([a-z-]+) -->(.*?)<!-- /timing -->", text)) for text in (english, chinese)]
    assert set(timings[0]) == set(timings[1]) == {"demo-first", "demo-again", "test-first", "test-again"}


def test_help_lists_the_two_commands() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = set(re.findall(r"^  make ([a-z-]+) ", shown, flags=re.MULTILINE))
    assert {"demo", "test", "lint", "docs", "clean", "help"} <= listed <= make_targets()


def test_ci_runs_make_test() -> None:
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert re.search(r"^(exec )?make\b.* test$", ci, flags=re.MULTILINE)
    assert "|| true" not in ci


def test_scripts_are_executable_and_valid_bash() -> None:
    scripts = [ROOT / ".ci/run", *sorted((ROOT / "tools").iterdir())]
    assert len(scripts) >= 5
    for script in scripts:
        assert os.access(script, os.X_OK), script
        subprocess.run(["bash", "-n", str(script)], check=True)


def test_a_failing_step_shows_its_output_and_its_status() -> None:
    step = str(ROOT / "tools/step")
    failed = subprocess.run(
        [step, "a check", "bash", "-c", "echo what went wrong; exit 7"], capture_output=True, text=True, check=False
    )
    assert failed.returncode == 7
    assert "a check: FAILED" in failed.stdout
    assert "what went wrong" in failed.stdout
    passed = subprocess.run([step, "a check", "echo", "noise"], capture_output=True, text=True, check=True)
    assert "a check: ok" in passed.stdout
    assert "noise" not in passed.stdout

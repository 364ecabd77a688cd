"""`python -m quanyu_sandbox`: run the sandbox. Secrets come from `QUANYU_SANDBOX_*` variables."""

from __future__ import annotations

import argparse
from pathlib import Path

import uvicorn

from quanyu_sandbox.app import create_app
from quanyu_sandbox.settings import SandboxSettings


def main() -> None:
    """Parse the arguments and serve until a signal."""
    parser = argparse.ArgumentParser(prog="quanyu_sandbox", description="A local WeChat ecosystem · 本地微信沙箱")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8601)
    parser.add_argument("--data", type=Path, default=Path("sandbox-data"))
    parser.add_argument("--seed", type=int)
    parser.add_argument("--callback-url")
    parser.add_argument("--collector-url")
    parser.add_argument("--api-url")
    parser.add_argument("--speed", type=float, help="divides every delay of people")
    parser.add_argument("--auto", action="store_true", default=None, help="customers act by themselves")
    parser.add_argument("--no-confirm", dest="confirm", action="store_false", default=None, help="staff wait for a tap")
    given = vars(parser.parse_args())
    host, port, data = given.pop("host"), given.pop("port"), given.pop("data")
    settings = SandboxSettings.from_environment(data, **given)
    uvicorn.run(create_app(settings), host=host, port=port, log_level="warning", access_log=False)


main()

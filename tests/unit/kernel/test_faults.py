"""Complaints of pydantic and PyYAML become sentences in both languages."""

from typing import Any, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from quanyu.kernel.faults import WrongValue, of_field, of_yaml


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=5)
    code: str = Field("abc", min_length=3, pattern="^[a-z]*$")
    kind: Literal["a", "b"] = "a"
    days: int = Field(1, ge=1, le=9)
    more: list[str] = Field([], max_length=1)

    @field_validator("code")
    @classmethod
    def _no_x(cls, given: str) -> str:
        if "x" in given:
            raise WrongValue("不能有 x", "No x")
        return given


@pytest.mark.parametrize(
    ("given", "zh", "en"),
    [
        ({}, "必填", "This is required"),
        ({"name": ""}, "必填", "This is required"),
        ({"name": "abcdef"}, "最多 5 个字", "At most 5 characters"),
        ({"name": 1}, "应为文本", "A text is needed"),
        ({"name": "a", "code": "ab"}, "至少 3 个字", "At least 3 characters"),
        ({"name": "a", "code": "ABC"}, "写法不对，可能有不允许的字符", "Not written as it must be; see its characters"),
        ({"name": "a", "code": "axx"}, "不能有 x", "No x"),
        ({"name": "a", "kind": "c"}, "只能是 'a', 'b' 之一", "Must be one of 'a', 'b'"),
        ({"name": "a", "days": 0}, "不能小于 1", "Must not be below 1"),
        ({"name": "a", "days": 10}, "不能大于 9", "Must not be above 9"),
        ({"name": "a", "days": "x"}, "应为整数", "A whole number is needed"),
        ({"name": "a", "more": ["1", "2"]}, "最多 1 项", "At most 1 of them"),
        ({"name": "a", "other": 1}, "没有这一项", "There is no such field"),
        ([], "应为「名称: 值」的对象", "An object of names and values is needed"),
    ],
)
def test_a_field_is_told_what_is_wrong_with_it(given: Any, zh: str, en: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Form.model_validate(given)
    (fault,) = caught.value.errors()
    assert (of_field(fault).zh, of_field(fault).en) == (zh, en)


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml.CSafeLoader])
@pytest.mark.parametrize(
    ("text", "zh"),
    [
        ("a:\n\tb: 1", "第 2 行第 1 列「b: 1」：这里有不能用来开头的字符：缩进用空格，不用制表符（Tab）"),
        ("a: b: c", "第 1 行第 5 列「a: b: c」：冒号的位置不对：检查上一行的缩进；值里有冒号要加引号"),
        ("a: *x", "第 1 行第 4 列「a: *x」：引用（*名称）没有定义"),
        ("a: !x y", "第 1 行第 4 列「a: !x y」：不支持 ! 开头的标签，请去掉"),
        ("a:\n  b: 1\n c: 2", "第 3 行第 2 列「c: 2」：缩进没有与同级的上一行对齐"),
        ("a: \x01", "有不可见的控制字符，请删除"),
    ],
)
def test_a_text_that_is_no_yaml_is_told_where(text: str, zh: str, loader: Any) -> None:
    with pytest.raises(yaml.YAMLError) as caught:
        yaml.load(text, Loader=loader)
    assert of_yaml(caught.value, text).zh == zh

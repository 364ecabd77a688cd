from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quanyu.kernel.errors import Invalid
from quanyu.messaging.templates import CardTemplate, check, page_with_token, render


def test_holes_are_filled_and_nothing_else_happens() -> None:
    values = {"name": "小王", "store": "人民广场店", "coupon.name": "满100减10"}
    assert render("{{name}}，{{ store }}送你{{coupon.name}}", values) == "小王，人民广场店送你满100减10"
    assert render("{name} $name %s {0}", values) == "{name} $name %s {0}"


def test_what_is_filled_in_is_never_read_again() -> None:
    assert render("{{name}}", {"name": "{{store}}", "store": "S"}) == "{{store}}"


def test_what_is_not_known_reads_politely() -> None:
    assert render("{{name}}，你好", {"name": None}) == "顾客，你好"
    assert render("{{store}}", {"store": ""}) == "门店"


@pytest.mark.parametrize("hole", ["{{phone}}", "{{name.__class__}}", "{{coupon}}", "{{}}", "{{name|upper}}", "{{1+1}}"])
def test_an_unknown_variable_is_a_clear_error(hole: str) -> None:
    with pytest.raises(Invalid, match="template_variable_unknown"):
        render(f"hi {hole}", {"name": "x"})
    with pytest.raises(Invalid) as caught:
        check(f"hi {hole}", None)
    assert [field.field for field in caught.value.fields] == ["text"]
    assert "{{name}}" in caught.value.fields[0].message.zh


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        check("{{oops}} {{", CardTemplate("标" * 22, "https://x/y z"))
    assert [field.field for field in caught.value.fields] == ["text", "text", "card.title", "card.page"]
    with pytest.raises(Invalid):
        check("  ", None)
    with pytest.raises(Invalid):
        check("x" * 4001, None)
    check("", CardTemplate("{{coupon.name}}", "pages/coupon?from=mass"))


def test_the_send_token_joins_the_pages_query() -> None:
    assert page_with_token("pages/coupon", "t1") == "pages/coupon?send=t1"
    assert page_with_token("pages/coupon?a=1", "t1") == "pages/coupon?a=1&send=t1"


@given(st.text(max_size=60))
def test_no_text_does_anything_but_render_or_be_refused(text: str) -> None:
    try:
        found = render(text, {"name": "N", "store": "S", "coupon.name": "C"})
    except Invalid:
        assert "{{" in text
    else:
        assert len(found) <= len(text) + 10

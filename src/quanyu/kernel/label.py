"""A text that people read, in both languages of the product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Label:
    """One text in Chinese and English; Chinese is the product's first language."""

    zh: str
    en: str

    def text(self, language: str = "zh") -> str:
        """The text in `language`; anything but `en` reads Chinese."""
        return self.en if language == "en" else self.zh

    def as_dict(self) -> dict[str, str]:
        """The shape that the API sends: `{"zh": …, "en": …}`."""
        return {"zh": self.zh, "en": self.en}


def same(text: str) -> Label:
    """A label that reads the same in both languages (a proper name, a number)."""
    return Label(text, text)

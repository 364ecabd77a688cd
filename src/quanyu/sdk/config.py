"""The typed configuration of a plugin: the console's form is made from its JSON schema.

Titles and descriptions are written "中文 · English"; the console shows the half in its reader's language.
Secrets are `Secret` fields: sealed at rest, shown as dots, and kept when the form sends the dots back.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, SecretStr, WithJsonSchema

MASK = "••••••"

Secret = Annotated[SecretStr, WithJsonSchema({"type": "string", "format": "password", "writeOnly": True})]


class Config(BaseModel):
    """The base of every plugin's configuration. Unknown fields are refused, values are frozen."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        str_strip_whitespace=True,
        validate_default=True,
        hide_input_in_errors=True,  # it may be a secret
    )

    @classmethod
    def secret_fields(cls) -> frozenset[str]:
        """The names of the fields that hold secrets."""
        return frozenset(name for name, field in cls.model_fields.items() if field.annotation is SecretStr)

    def masked(self) -> dict[str, Any]:
        """The values as the console may show them."""
        shown = self.model_dump(mode="json")
        for name in self.secret_fields():
            shown[name] = MASK if getattr(self, name).get_secret_value() else ""
        return shown

    def opened(self) -> dict[str, Any]:
        """The values with their secrets in clear, to be sealed at once."""
        values = self.model_dump(mode="json")
        for name in self.secret_fields():
            values[name] = getattr(self, name).get_secret_value()
        return values

    @classmethod
    def merged(cls, before: Self | None, given: dict[str, Any]) -> Self:
        """The configuration that a form sent; a secret that came back masked keeps its value.

        Raises pydantic.ValidationError when a field is wrong.
        """
        values = dict(given)
        for name in cls.secret_fields():
            if before is not None and values.get(name) in (MASK, None):
                values[name] = getattr(before, name).get_secret_value()
        return cls.model_validate(values)

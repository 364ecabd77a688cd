"""What a webhook connection needs to know."""

from __future__ import annotations

import base64
import binascii
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from quanyu.sdk import Config, Secret, WrongValue


class WebhookConfig(Config):
    """Where to post, how to sign, and which identifier names a person there."""

    url: str = Field(title="接收地址 URL · Receiving URL", pattern=r"^https?://")
    secret: Secret = Field(
        title="签名密钥 · Signing secret",
        description="whsec_ 开头，base64 的 24 到 64 字节 · starts with whsec_, 24 to 64 bytes in base64",
    )
    namespace: Literal["member_no", "phone", "unionid", "openid", "external_userid", "email", "user_id"] = Field(
        "member_no", title="用哪种标识指明客户 · Identifier that names the customer"
    )

    @field_validator("secret")
    @classmethod
    def _strong(cls, value: SecretStr) -> SecretStr:
        try:
            length = len(base64.b64decode(value.get_secret_value().removeprefix("whsec_"), validate=True))
        except binascii.Error:
            length = 0
        if not 24 <= length <= 64:
            raise WrongValue("签名密钥应为 base64 的 24 到 64 字节", "The secret must be 24 to 64 bytes in base64")
        return value

    def key(self) -> bytes:
        """The signing key's bytes."""
        return base64.b64decode(self.secret.get_secret_value().removeprefix("whsec_"))

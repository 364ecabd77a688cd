"""What a WeCom connection needs to know; the console's form is made from it."""

from __future__ import annotations

from pydantic import Field, SecretStr

from quanyu.sdk import Config, Secret


class WeComConfig(Config):
    """A self-built app of one corporation that may call the customer-contact interfaces."""

    corp_id: str = Field(
        min_length=3,
        title="企业 ID · Corporation ID",
        description="我的企业 → 企业信息 · My Company → Company Information",
    )
    corp_secret: Secret = Field(
        title="应用 Secret · App secret",
        description="自建应用，且在“客户联系-可调用接口的应用”名单中"
        " · a self-built app listed under Customer Contact, apps that may call the interfaces",
    )
    app_id: str = Field(
        "",
        title="小程序 AppID · Mini program AppID",
        description="卡片要打开的小程序；不发卡片可留空 · the mini program that cards open; empty without cards",
    )
    token: Secret = Field(
        SecretStr(""),
        title="回调 Token · Callback token",
        description="接收事件服务器配置中的 Token · Token in the event server's configuration",
    )
    aes_key: Secret = Field(
        SecretStr(""), title="回调 EncodingAESKey · Callback EncodingAESKey", description="43 位 · 43 characters"
    )
    base_url: str = Field(
        "https://qyapi.weixin.qq.com",
        title="接口地址 · Interface address",
        description="私有化部署或本地沙箱时修改 · change it for a private deployment or the local sandbox",
        pattern=r"^https?://",
    )

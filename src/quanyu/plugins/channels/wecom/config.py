"""What a WeCom connection needs to know; the console's form is made from it."""

from __future__ import annotations

from pydantic import Field, SecretStr

from quanyu.sdk import Config, Secret


class WeComConfig(Config):
    """A self-built app of one corporation that may call the customer-contact interfaces."""

    corp_id: str = Field(min_length=3, title="企业 ID", description="我的企业 → 企业信息")
    corp_secret: Secret = Field(title="应用 Secret", description="自建应用，且在“客户联系-可调用接口的应用”名单中")
    app_id: str = Field("", title="小程序 AppID", description="卡片要打开的小程序；不发卡片可留空")
    token: Secret = Field(SecretStr(""), title="回调 Token", description="接收事件服务器配置中的 Token")
    aes_key: Secret = Field(SecretStr(""), title="回调 EncodingAESKey", description="43 位")
    base_url: str = Field(
        "https://qyapi.weixin.qq.com", title="接口地址", description="私有化部署或本地沙箱时修改", pattern=r"^https?://"
    )

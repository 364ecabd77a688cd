"""WeCom's server API (企业微信服务端接口), as its documents describe it: HTTP 200 always, failures as `errcode`."""

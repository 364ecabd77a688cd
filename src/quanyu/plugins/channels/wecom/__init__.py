"""WeCom (企业微信) as a channel: mass messages that staff confirm, welcome messages, callbacks."""

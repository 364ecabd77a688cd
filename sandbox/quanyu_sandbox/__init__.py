"""A local stand-in for the WeChat ecosystem, speaking its documented interfaces to virtual customers.

It is a world outside the product: it never imports `quanyu`, and the product reaches it over HTTP only.
"""

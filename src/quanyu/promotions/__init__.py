"""Promotions: coupons so far. What is scarce is changed by one conditional statement and one ledger row.

Prices, stacking and budgets will live here too. Sending a coupon to somebody is `messaging`'s and `journeys`'.
"""

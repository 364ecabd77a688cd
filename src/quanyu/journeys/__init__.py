"""Journeys (旅程 / 营销画布): who enters, where each person stands, what happens next, and what it changed.

Positions are rows, advanced as sets; there is never a timer or a task per person. Sending is not done here: a
send node writes intents, `quanyu.messaging` decides and delivers.
"""

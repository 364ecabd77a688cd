"""How a channel says that a call did not work: the provider took nothing, or nobody knows.

There is no third case. What is neither of these is treated as unknown, because guessing "not sent" sends twice.
"""

from __future__ import annotations

from dataclasses import dataclass

from quanyu.kernel.label import Label


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong at a provider: its own code, the fact, and what the operator can do about it."""

    code: str
    title: Label
    remedy: Label


class ChannelError(Exception):
    """The base of both outcomes; `problem` is shown to the operator."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(f"{problem.code}: {problem.title.en}")


class NotTaken(ChannelError):
    """The provider certainly took nothing of this call.

    `transient` says that the same call may work later (`retry_after` seconds, when the provider says so);
    otherwise every message of the batch is rejected with this problem.
    """

    def __init__(self, problem: Problem, *, transient: bool = False, retry_after: float | None = None) -> None:
        super().__init__(problem)
        self.transient = transient
        self.retry_after = retry_after


class OutcomeUnknown(ChannelError):
    """The call may have reached the provider, and no answer that can be read came back."""

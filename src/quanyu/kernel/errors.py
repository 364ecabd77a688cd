"""Errors that people can act on: what happened, where, how to mend it, and whether to try again.

Every error that may leave the process is a `QuanyuError` with a stable `code`. `transient` says that the
same call may succeed later; everything else is terminal. HTTP writes them as RFC 9457 problem details.
"""

from __future__ import annotations

from dataclasses import dataclass

from quanyu.kernel.label import Label


@dataclass(frozen=True, slots=True)
class FieldError:
    """One bad field: its path (`children[0].params.times`), what is wrong with it, and what people call the field."""

    field: str
    message: Label
    label: Label | None = None


class QuanyuError(Exception):
    """The base of every expected failure.

    `code` is stable and machine-readable, `title` states the fact, `detail` says where and how to mend it.
    """

    status: int = 500
    code: str = "internal"
    transient: bool = False

    def __init__(
        self,
        code: str | None = None,
        title: Label | None = None,
        *,
        detail: Label | None = None,
        fields: tuple[FieldError, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        self.code = code or self.code
        self.title = title or Label("出错了", "Something went wrong")
        self.detail = detail
        self.fields = fields
        self.retry_after = retry_after
        super().__init__(f"{self.code}: {self.title.en}" + (f" ({detail.en})" if detail else ""))

    def sentence(self) -> Label:
        """Title and detail as one text, to be kept with what failed."""
        if self.detail is None:
            return self.title
        return Label(f"{self.title.zh}：{self.detail.zh}", f"{self.title.en}: {self.detail.en}")


class BadRequest(QuanyuError):
    """The request cannot be read."""

    status = 400
    code = "bad_request"


class NotSignedIn(QuanyuError):
    """Nobody is signed in, or the session or key is no longer valid."""

    status = 401
    code = "not_signed_in"


class Denied(QuanyuError):
    """The caller may not do this."""

    status = 403
    code = "permission_denied"


class NotFound(QuanyuError):
    """There is no such thing within the caller's scope."""

    status = 404
    code = "not_found"


class Conflict(QuanyuError):
    """The state of the thing does not allow it."""

    status = 409
    code = "conflict"


class Stale(QuanyuError):
    """Somebody else changed it in the meantime."""

    status = 412
    code = "stale"


class TooLarge(QuanyuError):
    """The body is larger than is taken."""

    status = 413
    code = "too_large"


class Invalid(QuanyuError):
    """The request can be read but does not make sense; `fields` say where."""

    status = 422
    code = "invalid"


class TooMany(QuanyuError):
    """Too many requests; try again after `retry_after` seconds."""

    status = 429
    code = "too_many"
    transient = True


class Unavailable(QuanyuError):
    """A store or a provider cannot be reached now; try again after `retry_after` seconds."""

    status = 503
    code = "unavailable"
    transient = True

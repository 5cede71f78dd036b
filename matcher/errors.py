"""The ways in which a request can be refused, one class per way out."""


class MatcherError(Exception):
    """Something was refused; the message says what was seen, what was expected and what to do."""


class InputError(MatcherError):
    """The caller's input is not usable as it stands; nothing was changed.

    Attributes:
        errors: one dict per bad field with the keys `pointer`, `seen`, `expected`; may be empty.
    """

    def __init__(self, message: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(message)
        self.errors = errors or []


class NotFoundError(MatcherError):
    """The named record does not exist; `nearby` lists what exists under a similar name.

    Attributes:
        nearby: up to five identifiers (with names) that resemble what was asked for.
    """

    def __init__(self, message: str, nearby: list[str] | None = None) -> None:
        super().__init__(message)
        self.nearby = nearby or []


class ConflictError(MatcherError):
    """The change collides with the present state (duplicate identifier, concurrent writer)."""


class ForbiddenError(MatcherError):
    """The caller may not do this, whoever else may."""


class SourceError(MatcherError):
    """A file that the product needs (table, wheel, model, artefact) is missing or damaged."""


class StaleArtefactError(MatcherError):
    """An engine artefact does not fit this program or these data; the message says how to refit."""

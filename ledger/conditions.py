"""Under what condition a change is made: asked inside its transaction, of what nobody else can change any more."""


def always(before: object) -> None:
    """The condition of a change that has none. One that does not hold raises, and nothing is changed."""

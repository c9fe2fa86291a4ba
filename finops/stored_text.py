"""What text can be kept: how long a name may be, and which characters the database takes."""

NAME_LENGTH_MAX = 200
"""Characters of a name; three of them fit in one key of the database, whatever the script."""


def storable(text: str) -> bool:
    """Whether PostgreSQL can keep the text: no U+0000, no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)

"""The edge of the database: no text reaches it that it cannot store."""


def clean(text: str) -> str:
    """Without what PostgreSQL cannot store: NUL and lone surrogates."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode("utf-8", "ignore").decode("utf-8")

"""A number with its noun, as every sentence for people writes it."""


def counted(count: int, noun: str) -> str:
    """Return "1 deal", "2 deals", "1,200 deals"."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")

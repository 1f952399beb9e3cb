"""What may be said of deals and packages: names, claims, and the findings about them."""

from core.wording.claims import Claim

__all__ = ["Claim"]

"""Sample deals and the seeded generator that makes them."""

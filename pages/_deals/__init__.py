"""The parts of the Deals page."""

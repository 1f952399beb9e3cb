"""The parts of the Packages page."""

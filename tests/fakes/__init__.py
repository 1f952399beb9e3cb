"""Fakes of the outside world, shared by all tests: documented, typed and tested themselves."""

"""Tests of how deals become text and text becomes vectors."""

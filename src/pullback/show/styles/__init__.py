"""Readings of one record: pairings, index notation."""

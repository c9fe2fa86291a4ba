"""Telling people of alerts: where to, in whose format, and again until it arrives."""

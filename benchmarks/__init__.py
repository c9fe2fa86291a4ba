"""Measured claims: each program prints what it measured and on what; `make bench` runs them."""

"""The one exception of starting: its message is one sentence for the person at the terminal."""


class CannotStart(Exception):
    """Something this machine lacks or refuses keeps the program from starting; retrying alone will not help."""

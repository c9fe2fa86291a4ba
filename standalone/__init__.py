"""The front door: the ``agent-finops`` command and how the processes are wired on one machine."""

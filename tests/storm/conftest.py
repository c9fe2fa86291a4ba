"""The long storms run by `make storm` only: they take minutes."""

import os

collect_ignore = [] if os.environ.get("STORM") == "long" else ["test_long_storms.py"]

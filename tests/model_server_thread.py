"""A model server with a bill, in a thread of the test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from examples.model_server import ModelServer


@contextmanager
def model_server(run: str) -> Iterator[ModelServer]:
    """Serves until the end of the block; ``run`` is in the ids of its answers."""
    server = ModelServer("127.0.0.1", 0, run=run)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()

"""A real Kafka of one node as a process, for `make test-kafka`, which fetches it."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from ports import free_ports

START_SECONDS_MAX = 90


def class_path() -> str:
    """The jars; skips the test where it was not asked for."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    jars = cache / "agent-finops" / "kafka"
    if not os.environ.get("FINOPS_TEST_KAFKA"):
        pytest.skip("Kafka takes half a minute and Java: `make test-kafka` runs it")
    return f"{jars}/*"


class Kafka:
    """One node that is broker and controller, with its log in ``directory``."""

    def __init__(self, directory: Path) -> None:
        broker, controller = free_ports(2)
        self.address = f"127.0.0.1:{broker}"
        self._log = directory / "kafka.log"
        settings = directory / "kafka.properties"
        settings.write_text(
            f"""
            process.roles=broker,controller
            node.id=1
            controller.quorum.voters=1@127.0.0.1:{controller}
            listeners=PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{controller}
            advertised.listeners=PLAINTEXT://{self.address}
            controller.listener.names=CONTROLLER
            log.dirs={directory}/kafka
            num.partitions=3
            offsets.topic.replication.factor=1
            offsets.topic.num.partitions=1
            transaction.state.log.replication.factor=1
            transaction.state.log.min.isr=1
            group.initial.rebalance.delay.ms=0
            message.max.bytes=8388608
            """
        )
        java = ["java", "-Xmx384m", "-XX:+UseSerialGC", "-cp", class_path()]
        tool = [*java, "kafka.tools.StorageTool", "format", "-t", "Zmlub3BzLXRlc3RzLTAwMQ", "-c", str(settings)]
        done = subprocess.run(tool, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([*java, "kafka.Kafka", str(settings)], stdout=log, stderr=log)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while "Kafka Server started" not in self._log.read_text():
            assert self._process.poll() is None, self._log.read_text()[-4000:]
            assert time.monotonic() < deadline, "Kafka does not start"
            time.sleep(0.1)

    def stop(self) -> None:
        """SIGKILL, for it is not needed again."""
        self._process.kill()
        self._process.wait(30)

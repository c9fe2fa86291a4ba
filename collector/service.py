"""The collector put together from what it is handed: doors, pipeline, writer; started and drained in order.

Which ledger, clock and environment there are is ``__main__``'s to say.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from collector.admission import Admission, Limits
from collector.asgi_server import AsgiServer
from collector.decoders import Decode
from collector.decoding import Decoding
from collector.health import HealthPages, Readiness, watch_loop
from collector.http_receiver import HttpReceiver
from collector.issuer_door import issuer_of
from collector.late import LateExports
from collector.ledger_watch import LedgerWatch, LedgerWatched
from collector.metrics import Metrics
from collector.otlp_status import Answers, Encoding, Signal
from collector.pipeline import Clock, Pipeline
from collector.receiver import GrpcReceiver
from collector.senders import IngestTokens, Senders
from collector.settings import Address, Settings
from collector.spool import Spool
from collector.spool_overflow import Limits as SpoolLimits
from collector.spool_overflow import Overflow
from collector.tidying import give_back_again_and_again, tidy_up
from collector.writer import GroupWriter, Ledger
from doors.certificates import CertificateFiles, Certificates

HEALTH_CONNECTIONS_MAX = 100
TOKEN_SHARE = 0.25
"""Of the time until a sender is answered, so much at most is for its token; the rest for the commit."""
APPENDS_MAX = 2
"""The ledger counts the second while it writes the first. Before a spool one at a time, which it decides about."""
LAST_SECONDS = 0.5
"""Kept back from the drain for closing what is closed last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where the collector really listens."""

    grpc: Address
    http: Address
    metrics: Address


class Service:
    """One collector. ``start`` once, ``stop`` once."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        tokens: IngestTokens | None,
        decoders: Mapping[tuple[Signal, Encoding], Decode],
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self.metrics = Metrics()
        self.readiness = Readiness()
        self._settings = settings
        self._clock = clock
        self.admission = Admission(limits_of(settings), lambda: int(clock.monotonic() * 1e9))
        self._ledger = LedgerWatched(ledger)
        self._overflow = self._spooled(self._ledger)
        self._writer = GroupWriter(
            self._overflow or self._ledger,
            self.metrics,
            group_spans=settings.group_spans_max,
            queue_requests=settings.admitted_requests_max,
            seconds=clock.monotonic,
            appends_max=APPENDS_MAX if self._overflow is None else 1,
        )
        answers = Answers(random)
        self._answer_seconds_max = settings.answer_ms_max / 1000
        self._decoding = Decoding(
            decoders,
            self.metrics,
            clock.monotonic,
            inline_bytes_max=settings.inline_decode_bytes_max,
            in_process=settings.decode_process,
        )
        self._pipeline = Pipeline(
            self._decoding,
            self._writer,
            self.admission,
            LateExports(settings.late_exports_max, self.metrics),
            self.metrics,
            answers,
            clock,
            answer_seconds_max=self._answer_seconds_max * (1 - TOKEN_SHARE),
            accept_days_max=settings.accept_days_max,
        )
        senders = self._door_keeper(tokens, answers)
        self._watch = self._ledger_watch(senders)
        self._certificates = certificates_of(settings, clock)
        self._grpc = GrpcReceiver(settings, self._pipeline, senders, self.readiness, self.metrics, self._certificates)
        self._http = self._http_door(senders)
        self._pages = AsgiServer(
            HealthPages(self.readiness, self.admission, self.metrics, self._watch, self._overflow),
            settings.metrics,
            connections_max=HEALTH_CONNECTIONS_MAX,
            header_seconds_max=settings.header_ms_max / 1000,
        )
        self._watching: list[asyncio.Task[None]] = []

    def _spooled(self, ledger: Ledger) -> Overflow | None:
        settings = self._settings
        if settings.spool_dir is None:
            return None
        spool = Spool(settings.spool_dir, settings.spool_bytes_max)
        limits = SpoolLimits(settings.spool_after_ms / 1000, settings.group_spans_max)
        return Overflow(ledger, spool, self.metrics, limits, self._clock.monotonic, self._clock.unix_ns)

    def _door_keeper(self, tokens: IngestTokens | None, answers: Answers) -> Senders:
        return Senders(
            tokens,
            answers,
            self._clock.monotonic,
            required=self._settings.tokens_required,
            ask_seconds_max=self._answer_seconds_max * TOKEN_SHARE,
            issuer=issuer_of(self._settings, self._clock, self.metrics),
        )

    def _ledger_watch(self, senders: Senders) -> LedgerWatch:
        return LedgerWatch(
            self._ledger,
            senders.ask_door,
            self._clock.monotonic,
            self.readiness if self._overflow is None else None,
            silent_seconds_max=self._settings.ledger_silent_ms_max / 1000,
        )

    def _http_door(self, senders: Senders) -> AsgiServer:
        settings = self._settings
        receiver = HttpReceiver(
            self._pipeline,
            senders,
            self.metrics,
            bytes_max=settings.message_bytes_max,
            body_seconds_max=settings.body_ms_max / 1000,
        )
        return AsgiServer(
            receiver,
            settings.http,
            connections_max=settings.http_connections_max,
            header_seconds_max=settings.header_ms_max / 1000,
            tls=self._certificates.tls_context() if self._certificates else None,
            reuse_port=settings.reuse_port,
        )

    async def start(self) -> Listening:
        """Returns when every port accepts. Raises ``OSError`` when one cannot be had; then ``stop`` cleans up."""
        settings = self._settings
        lag = watch_loop(self.metrics, self._clock.monotonic)
        self._watching = [
            asyncio.create_task(lag, name="loop lag"),
            asyncio.create_task(self._watch.run()),
            asyncio.create_task(tidy_up(self._ledger), name="tidy"),
            asyncio.create_task(give_back_again_and_again(self.metrics, self._clock.monotonic), name="give back"),
        ]
        if self._overflow is not None:
            await self._overflow.start()
        self._writer.start()
        metrics = settings.metrics._replace(port=await self._pages.start())
        grpc = settings.grpc._replace(port=await self._grpc.start())
        http = settings.http._replace(port=await self._http.start())
        self.readiness.become("ready")
        return Listening(grpc=grpc, http=http, metrics=metrics)

    async def stop(self) -> bool:
        """Refuse newcomers, let those inside finish, append what is queued. False: time ran out."""
        began = self._clock.monotonic()

        def left() -> float:
            return max(0.0, self._settings.drain_ms_max / 1000 - LAST_SECONDS - (self._clock.monotonic() - began))

        self.readiness.become("draining")
        self.admission.close()
        await asyncio.gather(self._grpc.stop(left()), self._http.stop(left()))
        drained = await self._writer.stop(left())
        if self._overflow is not None:
            await self._overflow.stop(left())
        await self._pages.stop(LAST_SECONDS / 2)
        self._decoding.close()
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        return drained


def limits_of(settings: Settings) -> Limits:
    """What may be inside at once."""
    return Limits(
        bytes=settings.admitted_bytes_max,
        spans=settings.admitted_spans_max,
        requests=settings.admitted_requests_max,
        age_ns=settings.admitted_age_ms_max * 1_000_000,
    )


def certificates_of(settings: Settings, clock: Clock) -> Certificates | None:
    """What the OTLP doors show; None: they are plain. Raises ``OSError`` where the files cannot be used."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    files = CertificateFiles(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)
    return Certificates(files, clock.monotonic)

"""Who delivers alerts, and the endpoints about them, over the real ledger: a part of ``__main__``."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from ledger.alert_destinations import AlertDestinations
from ledger.alert_history import AlertHistory
from ledger.alert_outbox import DeliveryRules, Outbox
from ledger.alert_silences import AlertSilences
from ledger.pool import Pool
from query_api.alert_routes import AlertHandlers
from query_api.alerting.courier import Channels, Courier
from query_api.alerting.outbound import Outbound
from query_api.endpoints.alert_destinations import AlertDestinationEndpoints
from query_api.endpoints.alerts import AlertEndpoints
from query_api.settings import Settings


def courier_of(
    settings: Settings, connections: Pool, now: Callable[[], datetime], chance: Callable[[], float]
) -> Courier:
    """Who delivers alerts in this process."""
    resend = timedelta(seconds=settings.alert_resend_seconds)
    give_up, keep = timedelta(seconds=settings.alert_give_up_seconds), timedelta(days=settings.alert_keep_days)
    channels = Channels(Outbound(settings.alert_networks, now), resend, settings.alert_apprise)
    rules = DeliveryRules(give_up, resend, keep, settings.alert_waiting_max)
    return Courier(Outbox(connections, rules), channels, now, chance)


def alert_handlers(connections: Pool, courier: Courier) -> AlertHandlers:
    """The endpoints about alerts."""
    return AlertHandlers(
        alerts=AlertEndpoints(AlertHistory(connections), AlertSilences(connections), courier),
        destinations=AlertDestinationEndpoints(AlertDestinations(connections), courier.channels, secrets.token_bytes),
    )

"""Who burns how fast, over the real ledger: what is served, what the judge does; a part of ``__main__``."""

import time

from finops.anomaly_rules import Rules
from finops.money import pico
from ledger.agent_hours import AgentHoursPass, SuggestionReports
from ledger.anomalies import AnomalyReports
from ledger.anomaly_pass import AnomalyPass
from ledger.baselines import BaselineStore
from ledger.burn_gauges import BurnReports
from ledger.pool import Pool
from ledger.session_heads import SessionHeadsPass
from ledger.sessions import SessionReports
from query_api.burn_metrics import BurnMetrics
from query_api.burn_routes import BurnHandlers
from query_api.endpoints.baseline_suggestions import SuggestionEndpoints
from query_api.endpoints.baselines import BaselineEndpoints
from query_api.endpoints.burning import Burning, BurnRules
from query_api.judging import JudgePass
from query_api.settings import Settings


def burn_handlers(settings: Settings, connections: Pool) -> BurnHandlers:
    """The endpoints about who burns how fast, and their gauges."""
    rules = BurnRules(settings.idle_seconds, anomaly_rules(settings))
    return BurnHandlers(
        burning=Burning(SessionReports(connections), AnomalyReports(connections), rules),
        baselines=BaselineEndpoints(BaselineStore(connections)),
        suggestions=SuggestionEndpoints(SuggestionReports(connections), settings.anomaly_multiplier),
        gauges=BurnMetrics(BurnReports(connections), settings.window_seconds, time.monotonic),
    )


def burn_passes(settings: Settings, connections: Pool) -> list[JudgePass]:
    """What the judge does about sessions."""
    return [
        AnomalyPass(connections, anomaly_rules(settings)),
        SessionHeadsPass(connections, settings.window_seconds, settings.idle_seconds),
        AgentHoursPass(connections, settings.window_seconds),
    ]


def anomaly_rules(settings: Settings) -> Rules:
    """What is abnormal where an agent has nothing of its own."""
    return Rules(
        settings.window_seconds,
        settings.anomaly_multiplier,
        pico(settings.anomaly_floor_usd),
        settings.anomaly_calls_min,
        pico(settings.single_call_usd),
    )

"""Gauges by agent: as many series as there is room for, nothing lost, nothing invented."""

from decimal import Decimal

from finops.reports import AgentBurn, BurnGauges
from query_api.burn_metrics import OTHER, SERIES_MAX, burn_families
from query_api.exposition import page

USD = 10**12


def values(gauges: BurnGauges) -> dict[str, dict[str, Decimal]]:
    """Value by labels, by family, as printed."""
    found: dict[str, dict[str, Decimal]] = {}
    for line in page(burn_families(gauges, 600), None, open_metrics=False).decode().splitlines():
        if not line.startswith("#"):
            name, _, rest = line.partition("{")
            labels, _, value = rest.rpartition("} ")
            found.setdefault(name, {})[labels] = Decimal(value)
    return found


def test_a_rate_and_the_open_anomalies_of_each_agent_and_none_where_nothing_is_known() -> None:
    agents = [AgentBurn("o", "a", 7 * USD // 10), AgentBurn("o", "b", None)]
    assert values(BurnGauges(agents, [("o", "a", "warning", 2), ("o", "idle", "critical", 1)])) == {
        "finops_burn_usd_per_hour": {'agent_id="a",org_id="o"': Decimal("4.2")},
        "finops_anomalies_open": {
            'agent_id="a",org_id="o",severity="warning"': Decimal(2),
            'agent_id="idle",org_id="o",severity="critical"': Decimal(1),
        },
    }


def test_a_million_agents_do_not_make_a_million_series() -> None:
    agents = [AgentBurn("o", f"a-{number}", (SERIES_MAX + 50 - number) * USD) for number in range(SERIES_MAX + 50)]
    opened = [("o", agent.agent_id, "warning", 1) for agent in agents]
    found = values(BurnGauges(agents, opened))
    for family, whole in (
        ("finops_burn_usd_per_hour", sum(range(1, SERIES_MAX + 51)) * 6),
        ("finops_anomalies_open", 150),
    ):
        assert len(found[family]) == SERIES_MAX + 1
        assert sum(found[family].values()) == whole
        assert any(f'"{OTHER}"' in labels for labels in found[family])

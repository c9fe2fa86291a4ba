"""What the rest of the month may cost: an estimate, and called one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, Protocol

from finops.budget_periods import PeriodRule, Span, Unit, days_between, period_at
from finops.forecast import Forecast, forecast
from finops.money import PICO_PER_USD
from finops.overview import NamedDay
from finops.periods import DAYS_MAX, Period, trailing_days
from finops.ratios import plain
from finops.reports import Filters, Stated
from query_api.auth import within
from query_api.exchange import Answer, Ask, costs_told
from query_api.parameters import filters_of
from query_api.shapes import COUNT, FLAG, MONEY, NUMBER, TEXT, Field, Shape, field


class DailySpend(Protocol):
    """What is asked of the ledger."""

    async def days(self, period: Period, filters: Filters) -> Stated[list[NamedDay]]: ...


class MonthForecast(NamedTuple):
    """A month, as far as it is known and as far as it is guessed."""

    span: Span
    zone: str
    spent_pico: int
    unpriced_calls: int
    rest: Forecast
    """Today, whole, and the days after it."""
    today_pico: int
    days_left: int
    """Days after today."""

    def total(self, rest: float | None) -> Decimal | None:
        """Of the whole month, in USD to a millionth; what was spent today already is not spent again."""
        if rest is None:
            return None
        known = max(0.0, rest - self.today_pico)
        return plain(Decimal(round((self.spent_pico + known) / PICO_PER_USD * 1_000_000)).scaleb(-6))


METHOD = Shape(
    "ForecastMethod",
    (Field("method", TEXT, lambda row: row[0]), Field("error", NUMBER, lambda row: _error(row[1]))),
)
FORECAST = Shape(
    "Forecast",
    (
        Field("month", TEXT, lambda row: f"{row.span.start + timedelta(days=1):%Y-%m}"),
        field("tz", TEXT, "zone"),
        field("status", TEXT, "rest.status"),
        Field("estimate", FLAG, lambda _: True),
        field("spentUsd", MONEY, "spent_pico"),
        field("unpricedCalls", COUNT, "unpriced_calls"),
        Field("forecastUsd", NUMBER, lambda row: row.total(sum(row.rest.days) if row.rest.method else None), True),
        Field("lowUsd", NUMBER, lambda row: row.total(row.rest.low), True),
        Field("highUsd", NUMBER, lambda row: row.total(row.rest.high), True),
        Field("intervalPercent", COUNT, lambda row: 80 if row.rest.low is not None else None, True),
        field("method", TEXT, "rest.method"),
        Field("error", NUMBER, lambda row: _error(row.rest.errors[0][1]) if row.rest.errors else None, True),
        field("methods", METHOD, "rest.errors", many=True),
        field("historyDays", COUNT, "rest.history_days"),
        field("daysLeft", COUNT, "days_left"),
    ),
)


class ForecastEndpoint:
    """GET /forecast."""

    def __init__(self, spend: DailySpend) -> None:
        self._spend = spend

    async def month(self, ask: Ask) -> Answer:
        """The rest of this month in the asked zone, by the method that would have been least wrong lately."""
        zone = ask.values["tz"]
        period = trailing_days(DAYS_MAX, zone, ask.now)
        stated = await self._spend.days(period, within(ask.grant, filters_of(ask.values)))
        found = month_forecast(stated.answer, period, ask.now)
        return costs_told(FORECAST.render(found), stated)


def month_forecast(rows: Sequence[NamedDay], period: Period, now: datetime) -> MonthForecast:
    """``rows`` are the days of ``period``, which ends with today."""
    by_day = dict.fromkeys(period.days, 0)
    for row in rows:
        by_day[row.day] += row.sums.priced_pico
    spend = [by_day[day] for day in period.days]
    first = next((at for at, pico in enumerate(spend) if pico), len(spend) - 1)
    span = period_at(PeriodRule(Unit.MONTH, period.zone), now)
    month = [day for day, _ in days_between(span, period.zone)]
    days_left = sum(1 for day in month if day > period.days[-1])
    return MonthForecast(
        span=span,
        zone=period.zone,
        spent_pico=sum(by_day[day] for day in month if day in by_day),
        unpriced_calls=sum(row.sums.unpriced_calls for row in rows if row.day in month),
        rest=forecast([float(pico) for pico in spend[first:-1]], 1 + days_left),
        today_pico=spend[-1],
        days_left=days_left,
    )


def _error(value: float) -> Decimal:
    return plain(Decimal(round(value, 4)).quantize(Decimal("0.0001")))

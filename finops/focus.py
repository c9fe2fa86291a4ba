"""Charges in the columns of FOCUS, the FinOps Open Cost and Usage Specification: 1.2, and 1.3 on request.

A charge is one kind of token at one unit price, so unit price times quantity is the list and the contracted cost
exactly; billed and effective cost are what stands in the ledger, rounded once. The billing period is the UTC month of
the call. A charge nobody has a price for keeps its usage, and what a price would say is empty: unknown is never zero.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from finops.exported import Charge, ColumnKind
from finops.money import FEMTO_PER_USD, usd

VERSIONS = ("1.2", "1.3")
UNKNOWN = "unknown"
CORRECTION = "Correction"
_UNITS = {"request": "Requests", "search": "Searches"}
_TOKENS = "Tokens"


class Column(NamedTuple):
    """One column; ``read`` gives text, a number, an instant, or None for empty."""

    name: str
    read: Callable[[Charge], Any]
    kind: ColumnKind = ColumnKind.TEXT


def focus_columns(version: str) -> tuple[Column, ...]:
    """The columns of a version, in the order of their names, our own behind them."""
    more = _SINCE_1_3 if version == "1.3" else ()
    return (*sorted((*_COLUMNS, *more)), *_OWN)


def _price(charge: Charge) -> Decimal | None:
    return None if charge.rate_femto is None else Decimal(charge.rate_femto) / FEMTO_PER_USD


def _exact(charge: Charge) -> Decimal | None:
    """Unit price times quantity, unrounded; what the ledger says where there is no unit price."""
    if charge.rate_femto is None or charge.quantity is None:
        return _billed(charge)
    return Decimal(charge.rate_femto * charge.quantity) / FEMTO_PER_USD


def _billed(charge: Charge) -> Decimal | None:
    return None if charge.amount_pico is None else usd(charge.amount_pico)


def _if_priced(read: Callable[[Charge], Any]) -> Callable[[Charge], Any]:
    return lambda charge: None if charge.rate_femto is None else read(charge)


def _quantity(charge: Charge) -> Decimal | None:
    """With a decimal: the specification wants decimals, and readers tell types by what they see."""
    return None if charge.quantity is None else Decimal(charge.quantity * 10).scaleb(-1)


def _unit(charge: Charge) -> str | None:
    return None if charge.quantity is None else _UNITS.get(charge.kind or "", _TOKENS)


def _sku(charge: Charge) -> str:
    return f"{_provider(charge)}/{_model(charge)}/{charge.kind}"


def _sku_price(charge: Charge) -> str:
    return f"{_sku(charge)}/{_price(charge):f}"


def _meter(charge: Charge) -> str:
    """cacheWrite1h as Cache Write 1h Tokens."""
    words = "".join(f" {letter}" if letter.isupper() else letter for letter in charge.kind or "")
    words = words.replace("_", " ").title()
    return words if (charge.kind or "") in _UNITS else f"{words} {_TOKENS}"


def _provider(charge: Charge) -> str:
    return charge.provider or UNKNOWN


def _model(charge: Charge) -> str:
    return charge.model_id or UNKNOWN


def _description(charge: Charge) -> str:
    what = "usage without a price" if charge.kind is None else _meter(charge).lower()
    return f"{_model(charge)}, {what}"


def _month(charge: Charge, later: int) -> datetime:
    years, month = divmod(charge.start.month - 1 + later, 12)
    return datetime(charge.start.year + years, month + 1, 1, tzinfo=UTC)


def _tags(charge: Charge) -> dict[str, str]:
    said = {name: getattr(charge, name) for name in ("environment", "operation", "service")}
    return {name: value for name, value in said.items() if value}


_EXACT, _INSTANT, _COUNT = ColumnKind.EXACT, ColumnKind.INSTANT, ColumnKind.COUNT
_COLUMNS = (
    Column("BilledCost", _billed, _EXACT),
    Column("BillingAccountId", lambda charge: charge.org_id),
    Column("BillingAccountName", lambda charge: charge.org_id),
    Column("BillingCurrency", lambda charge: "USD"),
    Column("BillingPeriodEnd", lambda charge: _month(charge, 1), _INSTANT),
    Column("BillingPeriodStart", lambda charge: _month(charge, 0), _INSTANT),
    Column("ChargeCategory", lambda charge: "Usage"),
    Column("ChargeClass", lambda charge: CORRECTION if charge.closed else None),
    Column("ChargeDescription", _description),
    Column("ChargeFrequency", lambda charge: "Usage-Based"),
    Column("ChargePeriodEnd", lambda charge: charge.end, _INSTANT),
    Column("ChargePeriodStart", lambda charge: charge.start, _INSTANT),
    Column("CommitmentDiscountStatus", lambda charge: None),
    Column("ConsumedQuantity", _quantity, _EXACT),
    Column("ConsumedUnit", _unit),
    Column("ContractedCost", _exact, _EXACT),
    Column("ContractedUnitPrice", _price, _EXACT),
    Column("EffectiveCost", _billed, _EXACT),
    Column("InvoiceId", lambda charge: None),
    Column("InvoiceIssuerName", _provider),
    Column("ListCost", _exact, _EXACT),
    Column("ListUnitPrice", _price, _EXACT),
    Column("PricingCategory", _if_priced(lambda charge: "Standard")),
    Column("PricingCurrency", _if_priced(lambda charge: "USD")),
    Column("PricingCurrencyContractedUnitPrice", _price, _EXACT),
    Column("PricingCurrencyEffectiveCost", _billed, _EXACT),
    Column("PricingCurrencyListUnitPrice", _price, _EXACT),
    Column("PricingQuantity", _if_priced(_quantity), _EXACT),
    Column("PricingUnit", _if_priced(_unit)),
    Column("ProviderName", _provider),
    Column("PublisherName", _provider),
    Column("ResourceId", lambda charge: f"{charge.org_id}/{charge.agent_id}"),
    Column("ResourceName", lambda charge: charge.agent_id),
    Column("ResourceType", lambda charge: "Agent"),
    Column("ServiceCategory", lambda charge: "AI and Machine Learning"),
    Column("ServiceName", _model),
    Column("ServiceSubcategory", lambda charge: "Generative AI"),
    Column("SkuId", _if_priced(_sku)),
    Column("SkuMeter", _if_priced(_meter)),
    Column("SkuPriceDetails", lambda charge: None),
    Column("SkuPriceId", _if_priced(_sku_price)),
    Column("SubAccountId", lambda charge: charge.team_id or None),
    Column("SubAccountName", lambda charge: charge.team_id or None),
    Column("Tags", _tags),
)
_SINCE_1_3 = (Column("HostProviderName", _provider), Column("ServiceProviderName", _provider))
_OWN = (
    Column("x_AgentId", lambda charge: charge.agent_id),
    Column("x_Calls", lambda charge: charge.calls, _COUNT),
    Column("x_Correction", lambda charge: charge.corrects, ColumnKind.FLAG),
    Column("x_ModelId", lambda charge: charge.model_id or None),
    Column("x_Revision", lambda charge: charge.revision, _COUNT),
    Column("x_SessionId", lambda charge: charge.session_id or None),
    Column("x_SpanId", lambda charge: charge.span_id or None),
    Column("x_TokenKind", lambda charge: charge.kind),
    Column("x_TraceId", lambda charge: charge.trace_id or None),
    Column("x_UnpricedCalls", lambda charge: charge.unpriced_calls, _COUNT),
    Column("x_UserId", lambda charge: charge.user_id or None),
)


def focus_row(columns: Sequence[Column], charge: Charge) -> list[Any]:
    """The values of a charge."""
    return [column.read(charge) for column in columns]

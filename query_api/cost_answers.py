"""The JSON objects of the general cost question: a row of any grouping, and the envelope of a page."""

from finops.cost_questions import GROUPS
from query_api.answers import totals_fields
from query_api.shapes import COUNT, DAY, INSTANT, NUMBER, TEXT, Field, Shape, field

FIELD_OF_GROUP = dict(
    zip(
        GROUPS,
        (
            "orgId",
            "teamId",
            "agentId",
            "userId",
            "sessionId",
            "environment",
            "provider",
            "modelId",
            "operation",
            "service",
        ),
        strict=True,
    )
)
"""What a group is called in a row."""
OF_A_STEP = ("bucketStart", "date")
"""What a row has where the window is divided."""


def _group_field(at: int, name: str) -> Field:
    return Field(FIELD_OF_GROUP[name], TEXT, lambda item: item.row.names[at], nullable=True, optional=True)


COST_ITEM = Shape(
    "CostItem",
    (
        field("bucketStart", INSTANT, "start")._replace(optional=True),
        field("date", DAY, "day")._replace(optional=True),
        *(_group_field(at, name) for at, name in enumerate(GROUPS)),
        *totals_fields(),
        field("agentRuns", COUNT, "row.agent_runs"),
        field("toolCalls", COUNT, "row.tool_calls"),
        field("shareOfCost", NUMBER, "share", nullable=True),
    ),
)
COST_TOTALS = Shape(
    "CostTotals",
    (*totals_fields(), field("agentRuns", COUNT, "agent_runs"), field("toolCalls", COUNT, "tool_calls")),
)
COST_COVERAGE = Shape(
    "CostCoverage",
    (
        field("pricedCalls", COUNT, "priced_calls"),
        field("unpricedCalls", COUNT, "page.totals.unpriced_calls"),
        field("unmeteredCalls", COUNT, "page.unmetered_calls"),
        field("pricedRatio", NUMBER, "priced_ratio", nullable=True),
    ),
)


def cost_page(item: Shape) -> Shape:
    """The envelope around rows of ``item``."""
    return Shape(
        "CostPage",
        (
            field("items", item, "items", many=True),
            field("totals", COST_TOTALS, "page"),
            Field("coverage", COST_COVERAGE, lambda told: told),
            field("from", INSTANT, "window.start"),
            field("to", INSTANT, "window.end"),
            field("completeThrough", INSTANT, "complete_through"),
            field("identifiersSince", INSTANT, "page.identifiers_since", nullable=True),
            field("nextCursor", TEXT, "next_cursor"),
        ),
    )


COST_PAGE = cost_page(COST_ITEM)

"""The paths that stream exports."""

from finops.access import Scope
from finops.focus import VERSIONS
from query_api.csv_text import MEDIA_TYPE as CSV_TYPE
from query_api.endpoints.exports import CALL, ExportEndpoints
from query_api.exchange import Endpoint
from query_api.export_formats import CSV, PARQUET, PARQUET_TYPE
from query_api.parameters import FILTERS, WINDOW, ZONE, Parameter, one_of
from query_api.shapes import Schema

AGENT_DAY = "agentDay"


def _word(name: str, meaning: str, default: str, *words: str) -> Parameter:
    schema: Schema = {"type": "string", "enum": list(words), "default": default}
    return Parameter(name, one_of(*words), schema, meaning, default)


VERSION = _word("version", "Version of FOCUS", VERSIONS[0], *VERSIONS)
GRAIN = _word("grain", "A row a call and kind of token, or an agent's UTC day and kind", CALL, CALL, AGENT_DAY)
UNPRICED = _word("unpriced", "Whether usage without a price has rows", "include", "include", "omit")


FORMAT = Parameter(
    "format",
    one_of(CSV, PARQUET),
    {"type": "string", "enum": [CSV, PARQUET]},
    "How the file is written; left out: as Accept says, else csv. Parquet wants the extra parquet",
)


def export_rows(prefix: str, to: ExportEndpoints) -> list[Endpoint]:
    """Their rows of the table."""
    path, asked = f"{prefix}/exports", (FORMAT, WINDOW, ZONE, *FILTERS)
    focus = (VERSION, GRAIN, UNPRICED, *asked)
    entries, charges = "Every entry of the ledger", "Charges in FOCUS"
    rows = [
        Endpoint("GET", f"{path}/costs.csv", Scope.READ, to.costs, entries, asked, media_type=CSV_TYPE),
        Endpoint("GET", f"{path}/focus.csv", Scope.READ, to.focus, charges, focus, media_type=CSV_TYPE),
    ]
    return [row._replace(other_media_types=(PARQUET_TYPE,)) for row in rows]

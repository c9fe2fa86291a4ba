"""What an OpenTelemetry Collector in front of this receiver must let through, as processors for its configuration.

The lists follow from the dialect tables, so that a new dialect cannot be forgotten there: ``python -m
collector.in_front`` rewrites the part between two marks of a configuration. Texts never pass: the attributes that hold
a whole answer keep its numbers and the few words named here; which question was asked remains as a digest only.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_type_hints

import msgspec

from collector import dialects_table as table
from collector import normalize_shapes as shapes

BEGIN: Final = "  # begin: made by `make collector-config` from collector/dialects"
END: Final = "  # end: made by `make collector-config`"
QUESTION: Final = "input.value"
"""Only whether two questions are the same is ever asked of this one."""
FACTS: Final = frozenset(
    (
        "gen_ai.usage.raw", "gen_ai.usage.input_token_details", "gen_ai.usage.output_token_details",
        "langfuse.observation.usage_details", "langfuse.observation.cost_details", "mlflow.chat.tokenUsage",
        "mlflow.llm.cost", "metadata.usage_object", "langsmith.metadata.usage_metadata", "crewai.crew.token_usage",
        "hidden_params",
    )
)  # fmt: skip
"""Payloads that hold counts, and no word of a question or an answer."""
_SHAPES: Final = (shapes.Answer, shapes.Step, shapes.Update, shapes.Parts, shapes.ProviderMetadata, shapes.Labels)
_WORD: Final = r"[\w.:/@+-]{1,256}"
_VECTOR: Final = r"\[[-+.eE0-9]+(?:,[-+.eE0-9]+)+\]"
_MARK: Final = "~"
"""Stands for a text that was taken out; no name, number or word that passes has it in it."""
_QUOTE: Final = '"'
_EVENT_CHARACTERS_MAX: Final = 64


def attributes_kept() -> list[str]:
    """Every span and log attribute that is read here."""
    return sorted(table.dialect_keys())


def resource_keys() -> list[str]:
    """Every resource attribute that is read here."""
    return sorted({key for keys in table.RESOURCE_KEYS.values() for key in keys})


def answers() -> list[str]:
    """The attributes that hold a whole answer, or free metadata, of which only counts and names may pass."""
    sources = [source.key for field in table.FIELDS.values() if field.kind == "payload" for source in field.sources]
    facts = {key for key in sources if key in FACTS or (key.startswith("llm.") and "usage" in key.lower())}
    return sorted(set(sources) - facts - {QUESTION})


def names_in_answers() -> tuple[list[str], list[str]]:
    """The JSON names that are read in an answer: all of them, and those whose value is a word (an id, a model)."""
    every: set[str] = set()
    words: set[str] = set()
    for shape in _structs():
        hints = get_type_hints(shape, localns=vars(shapes))
        for field in msgspec.structs.fields(shape):
            every.add(field.encode_name)
            if str in _members(hints[field.name]) or hints[field.name] is Any:
                words.add(field.encode_name)
    return sorted(every), sorted(words - {"replies"})


def _structs() -> Iterator[type[msgspec.Struct]]:
    found = [shape for shape in vars(shapes).values() if isinstance(shape, type) and issubclass(shape, msgspec.Struct)]
    yield from (shape for shape in found if shape is not msgspec.Struct and shape.__name__ != "Hidden")


def _members(hint: Any) -> tuple[Any, ...]:
    return getattr(hint, "__args__", (hint,))


def processors() -> str:
    """The processors as text of a Collector's configuration, indented for its ``processors`` section."""
    return "\n".join(["", *_filters(), "", *_transform(), ""])


def _filters() -> list[str]:
    events = _alternatives({name for event in table.LOG_EVENTS for name in (event.name, *event.aliases)})
    named = f"^{events}$$"
    places = ("log.event_name", 'log.attributes["event.name"]', "log.body")
    known = " or ".join(f"(IsString({place}) and IsMatch({place}, {_quoted(named)}))" for place in places)
    return [
        "  # Of logs, only the events that state the usage of a model call.",
        "  filter/usage_events:",
        "    error_mode: ignore",
        "    log_conditions:",
        f"      - {_yaml(f'not ({known})')}",
    ]


def _transform() -> list[str]:
    lines = [
        "  # By allow-list: what is not named here does not pass. Answers lose their texts and keep their numbers.",
        "  transform/allowed:",
        "    error_mode: ignore",
        "    trace_statements:",
    ]
    resources = _group("resource.attributes != nil", [f"keep_keys(resource.attributes, {_list(resource_keys())})"])
    lines += resources
    lines += _group("span.attributes != nil", _span_statements() + _answer_statements())
    lines += ["    log_statements:"]
    lines += resources
    lines += _group("log.attributes != nil", _log_statements())
    return lines


def _span_statements() -> list[str]:
    asked, answered = f'span.attributes["{QUESTION}"]', 'span.attributes["output.value"]'
    return [
        f"keep_keys(span.attributes, {_list(attributes_kept())})",
        f"set({asked}, SHA256(Concat([{asked}, {answered}], {_quoted(_MARK)}))) where {asked} != nil",
        'replace_pattern(span.attributes["url.full"], "[?#].*", "") where span.attributes["url.full"] != nil',
        'set(span.status.message, "")',
    ]


def _log_statements() -> list[str]:
    passing = [key for key in attributes_kept() if key not in {*answers(), QUESTION}]
    return [
        f"keep_keys(log.attributes, {_list(passing)})",
        f'set(log.body, "") where not IsString(log.body) or Len(log.body) > {_EVENT_CHARACTERS_MAX}',
    ]


def _answer_statements() -> list[str]:
    """An attribute that is JSON keeps its structure, its numbers and the named words; any other its digest."""
    every, words = names_in_answers()
    token = rf'("{_alternatives(words)}":"{_WORD}")|("{_alternatives(every)}")|"(?:[^"\\]|\\.)*"'
    is_json = _quoted(r"^\s*[{\[]")
    taken, put_back = (
        [f'delete_key(span.attributes, "{key}") where not IsString(span.attributes["{key}"])' for key in answers()],
        [],
    )
    for key in answers():
        held, kept = f'span.attributes["{key}"]', f'span.cache["{key}"]'
        taken.append(f"set({kept}, SHA256({held})) where {held} != nil")
        taken.append(f"set({kept}, String(ParseJSON({held}))) where IsString({held}) and IsMatch({held}, {is_json})")
        put_back.append(f"set({held}, {kept}) where {held} != nil")
    replaced = [
        (token, "$${1}$${2}" + _MARK),
        (_QUOTE + _MARK, _QUOTE),
        (_MARK, _QUOTE + _QUOTE),
        (_VECTOR, "[]"),
    ]
    emptied = [f'replace_all_patterns(span.cache, "value", {_quoted(old)}, {_quoted(new)})' for old, new in replaced]
    return taken + emptied + put_back


def _group(condition: str, statements: list[str]) -> list[str]:
    lines = [f"      - conditions: [{_yaml(condition)}]", "        statements:"]
    return lines + [f"          - {_yaml(statement)}" for statement in statements]


def _alternatives(words: set[str] | list[str]) -> str:
    return "(?:" + "|".join(word.replace(".", r"\.") for word in sorted(words)) + ")"


def _list(keys: list[str]) -> str:
    return "[" + ", ".join(_quoted(key) for key in keys) + "]"


def _quoted(text: str) -> str:
    """A string of the Collector's statement language."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _yaml(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def rewritten(configuration: str) -> str:
    """``configuration`` with what stands between the two marks made anew. Raises ``ValueError`` without them."""
    before, begin, rest = configuration.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the lines {BEGIN.strip()!r} and {END.strip()!r} are not both there")
    return f"{before}{BEGIN}\n{processors().strip(chr(10))}\n{END}{after}"


def main(paths: list[str]) -> None:
    """Rewrites each file named."""
    for path in map(Path, paths):
        path.write_text(rewritten(path.read_text()))


if __name__ == "__main__":
    main(sys.argv[1:])

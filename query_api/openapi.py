"""The OpenAPI 3.1 document of the endpoint table: whatever is served is described, and nothing else."""

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from re import findall

from query_api.exchange import Endpoint, Open
from query_api.parameters import Parameter
from query_api.problems import MEDIA_TYPE
from query_api.shapes import Schema

VERSION = "3.1.0"
_PROBLEM: Schema = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "in": {"enum": ["query", "path", "body", "header"]},
                    "field": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}


def document(endpoints: Iterable[Endpoint], product_version: str) -> Schema:
    """The document as a JSON tree."""
    table = list(endpoints)
    paths: dict[str, dict[str, object]] = {}
    for endpoint in table:
        paths.setdefault(endpoint.path.replace(":text}", "}"), {})[endpoint.method.lower()] = _operation(endpoint)
    shapes = [shape for endpoint in table if endpoint.answer for shape in endpoint.answer.all_shapes()]
    return {
        "openapi": VERSION,
        "info": {
            "title": "agent-finops",
            "version": product_version,
            "description": "What agents cost. Money is a JSON number in USD with every digit; null means unknown.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM, **{shape.name: shape.schema() for shape in shapes}},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(endpoint: Endpoint) -> Schema:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in findall(r"\{(\w+)(?::text)?\}", endpoint.path)
    ]
    operation: Schema = {
        "summary": endpoint.summary,
        "operationId": f"{endpoint.method.lower()}{''.join(filter(str.isalnum, endpoint.path.title()))}",
        "parameters": in_path + [_parameter(parameter) for parameter in endpoint.parameters] + _conditions(endpoint),
        "responses": _responses(endpoint),
    }
    if isinstance(endpoint.scope, Open):
        operation["security"] = []
    else:
        operation["security"] = [{"bearer": []}]
        operation["x-scope"] = endpoint.scope.value
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": endpoint.body}}}
    return operation


def _parameter(parameter: Parameter) -> Schema:
    schema = {"type": "array", "items": parameter.schema} if parameter.repeatable else parameter.schema
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.meaning,
        "schema": schema,
        "explode": True,
    }


def _conditions(endpoint: Endpoint) -> list[Schema]:
    if not endpoint.tagged or endpoint.method not in ("PUT", "DELETE"):
        return []
    means = {"If-Match": "Only where this is still its tag", "If-None-Match": "* : only where nothing is stated yet"}
    return [
        {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
        for name, text in means.items()
    ]


def _responses(endpoint: Endpoint) -> Schema:
    """Every status there is, none by default: an answer with another one is a fault of ours."""
    problem = {
        "description": "A problem",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    answers: Schema = {str(int(status)): problem for status in _problems(endpoint)}
    if endpoint.method == "DELETE":
        return {"204": {"description": "Done"}, **answers}
    content: Schema = {endpoint.media_type: {}}
    if endpoint.answer is not None:
        reference = endpoint.answer.reference()
        schema = {"type": "array", "items": reference} if endpoint.many else reference
        content = {endpoint.media_type: {"schema": schema}}
    content |= {media_type: {} for media_type in endpoint.other_media_types}
    answer: Schema = {"description": endpoint.summary, "content": content}
    if endpoint.tagged:
        answer["headers"] = {"ETag": {"description": "For If-Match", "schema": {"type": "string"}}}
    if isinstance(endpoint.scope, Open):
        answers["503"] = answer
    if endpoint.method == "GET":
        answers["304"] = {"description": "Unchanged: the tag in If-None-Match is still the answer's"}
    return {"200": answer, **answers}


def _problems(endpoint: Endpoint) -> Iterator[HTTPStatus]:
    yield HTTPStatus.BAD_REQUEST
    if endpoint.other_media_types:
        yield HTTPStatus.NOT_ACCEPTABLE
    if "{" in endpoint.path or endpoint.method != "GET":
        yield HTTPStatus.NOT_FOUND
    if isinstance(endpoint.scope, Open):
        return
    yield from (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
    yield HTTPStatus.SERVICE_UNAVAILABLE
    yield HTTPStatus.UNPROCESSABLE_ENTITY
    if endpoint.method != "GET":
        yield from (HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED)
    if endpoint.body is not None:
        yield HTTPStatus.REQUEST_ENTITY_TOO_LARGE

"""The OpenAPI 3.1 document: made from the routes and Structs, so it can't say anything else than the code does."""

from collections.abc import Iterable
from typing import Any

import msgspec

from slipway_contracts.access import Permission
from slipway_http.routing import PARAMETER, UUID, Route

Json = dict[str, Any]
REFERENCE = "#/components/schemas/{name}"
ERRORS = {
    "400": "The body is not what it says it is",
    "401": "Nobody is logged in",
    "403": "This needs a right that you don't have",
    "404": "There is no such thing, or you may not see it",
    "409": "The present state doesn't allow this",
    "422": "The request is not valid; `errors` names every wrong field",
    "429": "Too many requests",
    "503": "A part of the platform is away",
}
OTHER_ERRORS = {"Refused": "Whatever else can't be done; `code` and `detail` say why"}
PROBLEM: Json = {
    "type": "object",
    "description": "A problem document (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable for ever; for programs."},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["path", "message"],
                "properties": {"path": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


def openapi_document(routes: Iterable[Route], title: str, version: str = "1") -> Json:
    """The document of all routes that are not raw."""
    shown = [route for route in routes if not route.raw]
    kinds = [kind for route in shown for kind in (route.body, route.query, route.returns) if kind is not None]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=REFERENCE)
    by_kind = dict(zip(map(repr, kinds), schemas, strict=True))
    paths: dict[str, Json] = {}
    for route in shown:
        operation = _operation(route, by_kind, components)
        paths.setdefault(PARAMETER.sub(r"{\1}", route.path), {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": PROBLEM},
            "responses": {code: _problem_response(text) for code, text in (ERRORS | OTHER_ERRORS).items()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "People"},
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "Machines: `Token <key>`",
                },
            },
        },
        "security": [{"bearer": []}, {"token": []}],
    }


def _operation(route: Route, by_kind: dict[str, Json], components: Json) -> Json:
    operation: Json = {
        "operationId": route.operation_id or _operation_id(route),
        "summary": route.summary or _first_line(route.handler.__doc__),
        "x-slipway-permission": f"{route.needs}{' at ' + route.of if route.of else ''}",
        "parameters": [*_path_parameters(route), *_query_parameters(route, by_kind, components)],
        "responses": _responses(route, by_kind),
    }
    if route.description:
        operation["description"] = route.description
    if route.tag:
        operation["tags"] = [route.tag]
    if route.needs is Permission.PUBLIC:
        operation["security"] = []
    if route.body is not None:
        schema = by_kind[repr(route.body)]
        content = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": route.body_required, "content": content}
    return operation


def _operation_id(route: Route) -> str:
    words = [word for word in route.path.replace("{", "").replace("}", "").split("/") if word]
    return route.method.lower() + "".join(word[:1].upper() + word[1:] for word in words).replace(".", "_")


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def _path_parameters(route: Route) -> list[Json]:
    return [{"name": name, "in": "path", "required": True, "schema": _parameter(route, name)} for name in route.params]


def _parameter(route: Route, name: str) -> Json:
    if route.of and name == route.place_param:
        return {"type": "string", "format": "uuid", "pattern": f"^{UUID.pattern}$"}
    return {"type": "string"}


def _query_parameters(route: Route, by_kind: dict[str, Json], components: Json) -> list[Json]:
    if route.query is None:
        return []
    schema = by_kind[repr(route.query)]
    name = schema["$ref"].rpartition("/")[2]
    properties, required = components[name]["properties"], components[name].get("required", ())
    return [
        {"name": key, "in": "query", "required": key in required, "schema": value} for key, value in properties.items()
    ]


def _responses(route: Route, by_kind: dict[str, Json]) -> Json:
    status = route.status or (204 if route.returns is None else 200)
    success: Json = {"description": "Done"}
    if route.returns is not None:
        success["content"] = {"application/json": {"schema": by_kind[repr(route.returns)]}}
    wrong = {"404", "429", "503"}
    wrong |= {"401", "403"} if route.needs is not Permission.PUBLIC else set()
    wrong |= {"400", "409", "422"} if route.body is not None else set()
    wrong |= {"409"} if route.method in ("POST", "PUT", "PATCH", "DELETE") else set()
    wrong |= {"422"} if route.query is not None else set()
    refusals = {code: {"$ref": f"#/components/responses/{code}"} for code in sorted(wrong)}
    return {str(status): success, **refusals, "default": {"$ref": "#/components/responses/Refused"}}


def _problem_response(text: str) -> Json:
    schema = {"$ref": REFERENCE.format(name="Problem")}
    return {"description": text, "content": {"application/problem+json": {"schema": schema}}}

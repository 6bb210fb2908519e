"""HTTP as Slipway serves it: routes are data, one layer authorises, every refusal is a problem document.

Invariant: no handler runs before its route's stated permission was checked at the place that the path names, and its
body was decoded whole.
"""

from slipway_http.calls import Call
from slipway_http.etags import PreconditionFailed, etag, require_match
from slipway_http.limits import Limits
from slipway_http.locating import CachedLocate, Locating, remote_locate
from slipway_http.openapi import openapi_document
from slipway_http.problems import MalformedBody, problem_of
from slipway_http.routing import Route, RouteWrong
from slipway_http.server import Server
from slipway_http.serving import PortTaken, Serving, serve_http

__all__ = [
    "CachedLocate",
    "Call",
    "Limits",
    "Locating",
    "MalformedBody",
    "PortTaken",
    "PreconditionFailed",
    "Route",
    "RouteWrong",
    "Server",
    "Serving",
    "etag",
    "openapi_document",
    "problem_of",
    "remote_locate",
    "require_match",
    "serve_http",
]

"""The forms that bodies, queries and answers are made of.

Text never holds NUL (no table could keep it); names hold no control or direction-changing characters either; ids are
UUIDs; lists and numbers are bounded. A field that was left out is UNSET, which is not the same as null.
"""

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

T = TypeVar("T")

Text = Annotated[str, Meta(max_length=65_536, pattern="^[^\\x00]*$")]
Limited = Annotated[str, Meta(max_length=255, pattern="^[^\\x00]*$")]
Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        pattern="^[^\\s\\x00-\\x1f\\x7f-\\x9f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff]"
        "([^\\x00-\\x1f\\x7f-\\x9f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff]*"
        "[^\\s\\x00-\\x1f\\x7f-\\x9f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff])?$",
    ),
]
Id = Annotated[str, Meta(pattern="^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$")]
Int = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Items = Annotated[list[T], Meta(max_length=1000)]


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client sends. `__read_only__` names what it may send back because an answer showed it."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks for behind the question mark."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a client gets: fields that are UNSET are left out."""

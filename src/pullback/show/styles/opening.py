"""A page as it begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..document import Document
from .common import given, mixed
from .own_functions import own_functions

__all__ = ["opening"]


def opening(record: Mapping[str, Any], level: int, title: str) -> Document:
    """Its title, the program, the notation, and the functions that the program defines."""
    doc = Document(mixed(title))
    doc.parts += given(record, level)
    doc.parts += own_functions(record, level)
    return doc

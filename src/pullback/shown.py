"""What has a record, as text, Markdown, LaTeX and JSON: the face that proofs and comparisons share."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, ClassVar

from .show.document import Document
from .show.page import page

__all__ = ["Shown"]


class Shown:
    """Pages made of `record` alone by `document`."""

    document: ClassVar[Callable[[Mapping[str, Any]], Document]]

    @cached_property
    def record(self) -> dict[str, Any]:
        """Everything that is shown, as plain data (docs/record.md)."""
        raise NotImplementedError

    def text(self, *, ascii: bool = False, color: bool = False) -> str:
        return page(type(self).document(self.record), "text", ascii, color)

    def markdown(self) -> str:
        return page(type(self).document(self.record), "markdown")

    def latex(self) -> str:
        """A complete LaTeX document."""
        return page(type(self).document(self.record), "latex")

    def to_json(self, indent: int | None = 1) -> str:
        return json.dumps(self.record, ensure_ascii=False, indent=indent)

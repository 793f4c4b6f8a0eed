"""The sentences of zero-shot classification: what a report says when a finding is there, and when it is not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import CxrError

PROMPTS = Path(__file__).with_name("prompts.json")
SIDES = ("positive", "negative")


class PromptPair(NamedTuple):
    """Sentences of one finding; each side is an ensemble."""

    positive: tuple[str, ...]
    negative: tuple[str, ...]


class Prompts:
    """Prompts of any finding, from one JSON file.

    A finding has its own sentences under `findings`, directly or by another name under `same`; any other gets the
    `templates`, with its name in place of `{}`. Case, underscores and hyphens of a name do not count.

    Args:
        path: a file as `scripts/evaluation/prompts.json`, which is the default; what it leaves out it does not have.

    Raises:
        CxrError: the file cannot be read, or does not have this form.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path or PROMPTS)
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CxrError(f"prompts: {self.path} cannot be read as JSON ({error}).") from error
        if not isinstance(content, dict) or "templates" not in content:
            raise CxrError(f"prompts: {self.path} needs 'templates', and 'findings' and 'same' where there are any.")
        self.templates = self._pair(content["templates"], "templates")
        if not all("{}" in sentence for side in self.templates for sentence in side):
            raise CxrError(f"prompts: {self.path}: each template needs {{}} where the finding's name goes.")
        self.findings = {plain_name(name): self._pair(pair, name) for name, pair in content.get("findings", {}).items()}
        self.same = {plain_name(name): plain_name(other) for name, other in content.get("same", {}).items()}
        if lost := [name for name, other in self.same.items() if other not in self.findings]:
            raise CxrError(f"prompts: {self.path}: 'same' sends {', '.join(lost)} to a finding that is not there.")

    def of(self, finding: str) -> PromptPair:
        """Sentences of a finding, by the name that a label or a box has."""
        name = plain_name(finding)
        own = self.findings.get(self.same.get(name, name))
        if own is not None:
            return own
        return PromptPair(*(tuple(_sentence(text, name) for text in side) for side in self.templates))

    def _pair(self, value: Any, name: str) -> PromptPair:
        sides: list[Any] = [value.get(side) for side in SIDES] if isinstance(value, dict) else []
        if not sides or not all(_is_sentences(side) for side in sides):
            raise CxrError(f"prompts: {self.path}: {name} needs two lists of sentences, 'positive' and 'negative'.")
        return PromptPair(*(tuple(side) for side in sides))


def _is_sentences(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(isinstance(text, str) and text for text in value)


def plain_name(finding: str) -> str:
    """`Pleural_Thickening` as `pleural thickening`."""
    return " ".join(finding.lower().replace("_", " ").replace("-", " ").split())


def _sentence(template: str, name: str) -> str:
    sentence = template.replace("{}", name)
    return sentence[0].upper() + sentence[1:]


def sentences(pairs: Sequence[PromptPair]) -> list[str]:
    """Each distinct sentence of several findings once, in their order."""
    return list(dict.fromkeys(text for pair in pairs for side in pair for text in side))

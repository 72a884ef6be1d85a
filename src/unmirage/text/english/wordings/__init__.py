"""Wordings of an attack: the questions that a query becomes, their families, and their order."""

from __future__ import annotations

from unmirage.text.english.wordings.ask import Family
from unmirage.text.english.wordings.choose import CHOICES, Aim, Choice, Wording, Wordings
from unmirage.text.english.wordings.guide import FormCount, WordingGuide, form_of

__all__ = ["CHOICES", "Aim", "Choice", "Family", "FormCount", "Wording", "WordingGuide", "Wordings", "form_of"]

"""Graft a small vision tower onto a text decoder: a LLaVA of pretrained text weights."""

from unmirage.models.graft.assemble import Assembly, assemble
from unmirage.models.graft.document import Graft, Seen
from unmirage.models.graft.settings import GraftSettings
from unmirage.models.graft.source import Source, load_decoder
from unmirage.models.graft.write import Grafted, Teacher, graft

__all__ = [
    "Assembly",
    "Graft",
    "GraftSettings",
    "Grafted",
    "Seen",
    "Source",
    "Teacher",
    "assemble",
    "graft",
    "load_decoder",
]

"""Search for opener words that change a model's refusals, including words that are not in the data."""

from unmirage.attack.documents import Baseline, FoundWord, SearchResult
from unmirage.attack.search.config import SearchConfig
from unmirage.attack.search.run import search

__all__ = ["Baseline", "FoundWord", "SearchConfig", "SearchResult", "search"]

"""Search for opener words that flip a model, whether or not the data have them."""

from unmirage.attack.search.config import SearchConfig
from unmirage.attack.search.result import Baseline, FoundWord, SearchResult
from unmirage.attack.search.run import search

__all__ = ["Baseline", "FoundWord", "SearchConfig", "SearchResult", "search"]

"""Pure functions of strings: words, openers, refusals, and the rewriter."""

"""Functions of text: words, openers, refusal detection, safe display, and the rule-based rewriter."""

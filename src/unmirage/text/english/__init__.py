"""The rule-based rewriter of English requests: parse a query, and render it with another opener."""

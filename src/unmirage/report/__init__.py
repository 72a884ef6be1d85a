"""Build self-contained HTML reports from saved results. Rates are read from the files, never recomputed."""

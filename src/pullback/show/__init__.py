"""Floor 4: a proved derivation as text, Markdown, LaTeX and JSON; every renderer reads only the record."""

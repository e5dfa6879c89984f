"""Sphinx builds the documentation: Markdown by MyST, formulae by MathJax."""

from pygments.lexers.special import TextLexer
from sphinx.highlighting import lexers

from pullback import __version__

project = "pullback"
copyright = "the pullback authors"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.mathjax"]
myst_enable_extensions = ["amsmath", "deflist", "dollarmath"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"pullback {release}"

# Our own notation has no lexer; say so here, or every ```eqn block is a warning, which is an error.
lexers["eqn"] = TextLexer()

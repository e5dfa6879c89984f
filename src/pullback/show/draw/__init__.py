"""Pictures of a record: one layout, written as SVG or TikZ; and the graph itself as DOT or Mermaid text."""

"""Floor 4: one reader per notation, all making a Program."""

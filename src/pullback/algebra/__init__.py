"""Floor 1: expressions, what they mean, and when two mean the same."""

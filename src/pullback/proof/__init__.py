"""Floor 3: every claim of a derivation confirmed on a path of its own, or the run stops."""

"""Floor 4: a proved derivation as something that runs."""

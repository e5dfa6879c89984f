"""Floor 2: from a program to a derivation of its backward equations."""

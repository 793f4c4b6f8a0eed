"""Each speed that the project claims, as a ratio against a named alternative in one run."""

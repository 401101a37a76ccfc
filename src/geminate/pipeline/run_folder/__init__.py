"""A run's folder: its names, its manifest and its shards, and how it appears whole."""

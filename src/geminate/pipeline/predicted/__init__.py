"""From where predictions lie to decoded blocks, and what they are joined to."""

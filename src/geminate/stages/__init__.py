"""THE FLOW: prompts → requests → shards → jobs → predictions → outcomes → rows. Pure: no IO, no clock, no SDK."""

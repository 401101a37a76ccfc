"""What a retry plans: which prompts, in which request lines, or over a former job's output."""

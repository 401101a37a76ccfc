"""What a build needs: prompts opened, specs made ready, media brought along, request tables."""

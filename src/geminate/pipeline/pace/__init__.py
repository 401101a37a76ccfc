"""Reading ahead, pauses, progress, and starting fast."""

"""Every file format in which prompts come in and joined rows go out."""

"""What jobs need: where they go, what each is asked, and what is known to go wrong before."""

"""THE OUTSIDE: one service a file, one SDK a file."""

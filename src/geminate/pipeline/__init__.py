"""The flow as sentences: build, submit, wait, collect, join, and run, which is all of them."""

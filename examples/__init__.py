"""Applications to read, run and imitate: `python -m examples.board`."""

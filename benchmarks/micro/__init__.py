"""Single stages in process: the minimum of many repeats, in microseconds, warm caches, no sockets.

On sockets the same code costs 1.5 to 1.8 times as much (cold caches after each system call).
`python -m benchmarks.micro` runs every script of this folder in benchmarks/.venv; each runs alone, too:
`python -m benchmarks.micro.head`.
"""

"""Benchmarks: what a request costs, next to other servers (macro), stage by stage (micro), and over time (soak).

A wing of the project: nothing imports it. See README.md in this folder.
"""

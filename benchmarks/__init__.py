"""Benchmarks: what requests and messages cost next to other servers (macro, websocket), stage by stage (micro), over
time (soak, soak_websockets), with large content (memory) and before anybody asks (footprint); charts draws the results.

A wing of the project: nothing imports it. See README.md in this folder.
"""

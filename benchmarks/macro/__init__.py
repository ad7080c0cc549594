"""aioweb next to other servers: CPU per request, requests per second, latency and memory under the same load.

    workloads   what is asked, and what the right answer is
    peers       the servers, how one is started, checked and stopped
    options     what command lines have in common
    process     what the kernel knows about a process tree
    load        wrk and its figures
    report      medians, the Markdown table and the JSON file
    rounds      every server is visited once a round
    __main__    the command line
    servers/    one file per peer, run in an interpreter of benchmarks/.venv

The driver imports the standard library only.
"""

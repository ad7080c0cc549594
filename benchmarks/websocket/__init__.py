"""aioweb's WebSockets next to those of other servers: CPU and time per message, memory per idle connection.

    client      one connection, as the driver sees it: handshake, frames, answers
    workloads   what is sent, by whom, and who has to be answered
    peers       the servers, and whether they answer right
    load        many connections in one loop, which sends frames that are ready and counts what comes back
    idle        memory of connections that wait
    __main__    the command line
    servers/    one module per peer, run in an interpreter of benchmarks/.venv

Processes, medians and tables are those of benchmarks/macro. The driver imports the standard library only.
"""

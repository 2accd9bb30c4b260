"""`hangang bench`: the command, what it times, and the streams that it times with.

Importing `timing`, `workloads`, `decoders` or `clients` does not need the command line's extra.
"""

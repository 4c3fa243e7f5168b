"""The operators' command line: a client of Muster's HTTP API, and of nothing else."""

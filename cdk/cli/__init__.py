"""The command line: `trending-now`."""

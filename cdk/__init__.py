"""Where and how the service runs: the spec, on AWS and on this machine."""

"""The parts of the stacks, one capability a file. They take plain values of `cdk.service` and know no stage by name."""

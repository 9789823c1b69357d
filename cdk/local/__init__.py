"""The service on this machine: the spec of `cdk.service`, run by the real handlers under the real runtime client."""

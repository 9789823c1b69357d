"""What a rollout asks of a new version before and after traffic moves: golden requests, sent and judged.

`golden` and its helpers know neither AWS nor this machine, so both kinds of rollout run them. Nothing here imports the
project's layers or a package: on AWS it is a ZIP beside the runtime's own boto3.
"""

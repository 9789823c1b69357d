"""The CloudFormation stacks: what is deployed together. `cdk.constructs` says what each part looks like."""

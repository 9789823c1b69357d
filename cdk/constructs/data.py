"""Everything that keeps data: tables, buckets, queues with their dead-letter queues, secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.constructs.acknowledge import acknowledge

if TYPE_CHECKING:
    from cdk.service import Bucket, Key, Queue, Secret, Service, Table

_TYPES: Final = {
    "S": dynamodb.AttributeType.STRING,
    "N": dynamodb.AttributeType.NUMBER,
    "B": dynamodb.AttributeType.BINARY,
}


def bucket_name(stage: str, name: str) -> str:
    """Name of a bucket on AWS: known beforehand, unique by account and region."""
    return f"trending-now-{stage}-{name}-{cdk.Aws.ACCOUNT_ID}-{cdk.Aws.REGION}"


class Data(Construct):
    """The data of one stage, by the names of the spec.

    Attributes
    ----------
    tables, indexes, buckets, queues, dead_letters, secrets : dict
        ``indexes`` has the names of a table's indexes, ``dead_letters`` has the key of the queue whose failed messages it takes.
    """

    def __init__(self, scope: Construct, id_: str, *, service: Service) -> None:
        super().__init__(scope, id_)
        self._keep = service.protected
        self._removal = cdk.RemovalPolicy.RETAIN if self._keep else cdk.RemovalPolicy.DESTROY
        self.dead_letters: dict[str, sqs.Queue] = {}
        self._stage = service.stage
        self.tables = {table.name: self._table(table) for table in service.tables}
        self.indexes = {table.name: [index.name for index in table.indexes] for table in service.tables}
        self.queues = {queue.name: self._queue(queue) for queue in service.queues}
        access_logs = self._access_logs() if service.buckets else None
        self.buckets = {bucket.name: self._bucket(bucket, access_logs) for bucket in service.buckets}
        self.secrets = {secret.name: self._secret(secret) for secret in service.secrets}
        self._outputs()

    def _outputs(self) -> None:
        """Say what a person needs to name: buckets to drop files into, secrets to fill, dead letters to read."""
        scope = cdk.Stack.of(self)
        for name, bucket in self.buckets.items():
            cdk.CfnOutput(
                scope, _id("Bucket", name), value=bucket.bucket_name, description=f"The bucket {name}"
            )
        for name, secret in self.secrets.items():
            cdk.CfnOutput(
                scope,
                _id("Secret", name),
                value=secret.secret_arn,
                description="Fill it: aws secretsmanager put-secret-value --secret-id <this>",
            )
        for name, queue in self.dead_letters.items():
            cdk.CfnOutput(
                scope,
                _id("DeadLetters", name),
                value=queue.queue_url,
                description=f"Messages that {name} gave up on",
            )

    def _table(self, spec: Table) -> dynamodb.TableV2:
        return dynamodb.TableV2(
            self,
            _id("Table", spec.name),
            partition_key=_attribute(spec.partition),
            sort_key=_attribute(spec.sort) if spec.sort else None,
            billing=dynamodb.Billing.on_demand(),
            encryption=dynamodb.TableEncryptionV2.aws_managed_key(),
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute=spec.ttl_attribute,
            deletion_protection=self._keep,
            removal_policy=self._removal,
            global_secondary_indexes=[
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name=index.name,
                    partition_key=_attribute(index.partition),
                    sort_key=_attribute(index.sort) if index.sort else None,
                    projection_type=_projection(index.include),
                    non_key_attributes=list(index.include) if index.include else None,
                )
                for index in spec.indexes
            ],
        )

    def _queue(self, spec: Queue) -> sqs.Queue:
        dead = sqs.Queue(
            self,
            _id("DeadLetters", spec.name),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(14),
            removal_policy=self._removal,
        )
        acknowledge(dead, "It is the dead-letter queue.", "Serverless-SQSRedrivePolicy")
        self.dead_letters[spec.name] = dead
        return sqs.Queue(
            self,
            _id("Queue", spec.name),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            visibility_timeout=cdk.Duration.seconds(spec.visibility_s),
            retention_period=cdk.Duration.days(spec.retention_days),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=spec.max_receives),
            removal_policy=self._removal,
        )

    def _access_logs(self) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "AccessLogs",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(90))],
            removal_policy=self._removal,
        )
        acknowledge(
            bucket, "It takes the other buckets' access logs and cannot log itself.", "AwsSolutions-S1"
        )
        return bucket

    def _bucket(self, spec: Bucket, access_logs: s3.Bucket | None) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            _id("Bucket", spec.name),
            bucket_name=bucket_name(self._stage, spec.name),
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            versioned=True,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            server_access_logs_bucket=access_logs,
            server_access_logs_prefix=f"{spec.name}/",
            lifecycle_rules=[
                s3.LifecycleRule(
                    abort_incomplete_multipart_upload_after=cdk.Duration.days(1),
                    noncurrent_version_expiration=cdk.Duration.days(30),
                ),
                *(
                    s3.LifecycleRule(prefix=prefix, expiration=cdk.Duration.days(days))
                    for prefix, days in spec.expire_days
                ),
            ],
            removal_policy=self._removal,
        )
        self._announce(spec, bucket)
        return bucket

    def _announce(self, spec: Bucket, bucket: s3.Bucket) -> None:
        """Announce new objects to queues; with CloudFormation's own property, which needs no helper function."""
        resource = bucket.node.default_child
        if not spec.notifications or not isinstance(resource, s3.CfnBucket):
            return
        source = cdk.Stack.of(self).format_arn(
            service="s3", region="", account="", resource=bucket_name(self._stage, spec.name)
        )
        for name in sorted({notification.queue for notification in spec.notifications}):
            result = self.queues[name].add_to_resource_policy(
                iam.PolicyStatement(
                    sid="NewObjects",
                    principals=[iam.ServicePrincipal("s3.amazonaws.com")],
                    actions=["sqs:SendMessage"],
                    resources=[self.queues[name].queue_arn],
                    conditions={
                        "ArnEquals": {"aws:SourceArn": source},
                        "StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID},
                    },
                )
            )
            if result.policy_dependable:  # S3 tries the queue when the bucket is made
                resource.node.add_dependency(result.policy_dependable)
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            queue_configurations=[
                s3.CfnBucket.QueueConfigurationProperty(
                    event="s3:ObjectCreated:*",
                    queue=self.queues[notification.queue].queue_arn,
                    filter=s3.CfnBucket.NotificationFilterProperty(
                        s3_key=s3.CfnBucket.S3KeyFilterProperty(
                            rules=[s3.CfnBucket.FilterRuleProperty(name="prefix", value=notification.prefix)]
                        )
                    )
                    if notification.prefix
                    else None,
                )
                for notification in spec.notifications
            ]
        )

    def _secret(self, spec: Secret) -> secretsmanager.Secret:
        secret = secretsmanager.Secret(
            self, _id("Secret", spec.name), description=spec.purpose, removal_policy=self._removal
        )
        resource = secret.node.default_child
        if isinstance(resource, secretsmanager.CfnSecret):
            # The CDK would fill it with a random password, which the code would take for a key.
            resource.add_property_deletion_override("GenerateSecretString")
        acknowledge(
            secret,
            "A key of a third party: only its owner can issue a new one, so there is nothing that could rotate it.",
            "AwsSolutions-SMG4",
        )
        return secret


def _attribute(key: Key) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=key.name, type=_TYPES[key.type])


def _projection(include: tuple[str, ...] | None) -> dynamodb.ProjectionType:
    if include is None:
        return dynamodb.ProjectionType.ALL
    return dynamodb.ProjectionType.INCLUDE if include else dynamodb.ProjectionType.KEYS_ONLY


def _id(kind: str, name: str) -> str:
    return kind + "".join(part.capitalize() for part in name.split("-"))

# The pusher alone: a Lambda that turns notification requests into posts to
# WebSocket connections. It reads a queue and a topic.

data "aws_partition" "current" {}

locals {
  name = "${var.prefix}-pusher"

  # arn:aws:sqs:REGION:ACCOUNT:NAME
  queue     = split(":", var.notifications_queue_arn)
  queue_url = "https://sqs.${local.queue[3]}.${data.aws_partition.current.dns_suffix}/${local.queue[4]}/${local.queue[5]}"

  state_table = var.state_table != null ? var.state_table : {
    name = aws_dynamodb_table.state[0].name
    arn  = aws_dynamodb_table.state[0].arn
  }
  tags = merge(var.common_tags, { Component = "pusher" })
}

resource "aws_dynamodb_table" "state" {
  count        = var.state_table == null ? 1 : 0
  name         = "${local.name}-state"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "pk"
  range_key    = "sk"
  tags         = local.tags

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  ttl {
    attribute_name = "delete_at"
    enabled        = true
  }
}

# Requests of the topic that are no requests: nothing else would take them.
resource "aws_sqs_queue" "rejected" {
  name                      = "${local.name}-rejected"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
  tags                      = local.tags
}

module "function" {
  source = "../function"

  name        = local.name
  description = "Pushes notifications to WebSocket connections"
  binary      = "pusher"
  lambdas_dir = coalesce(var.lambdas_dir, "${path.module}/../../../serverless/dist")

  memory_mb          = var.memory_mb
  timeout_seconds    = var.timeout_seconds
  log_retention_days = var.log_retention_days
  has_policy         = true
  policy             = data.aws_iam_policy_document.pusher.json
  tags               = local.tags

  environment = {
    SUMU_CONNECTIONS_TABLE   = var.connections_table.name
    SUMU_STATE_TABLE         = local.state_table.name
    SUMU_REQUESTS_QUEUE_URL  = local.queue_url
    SUMU_REJECT_QUEUE_URL    = aws_sqs_queue.rejected.url
    SUMU_MANAGEMENT_ENDPOINT = var.apigw_endpoint
    SUMU_MANAGEMENT_HOSTS    = join(",", var.management_hosts)
  }
}

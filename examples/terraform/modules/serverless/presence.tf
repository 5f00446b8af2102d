module "presence" {
  source = "../function"
  count  = local.presence ? 1 : 0

  name               = "${var.prefix}-presence"
  description        = "Tells who comes and goes"
  binary             = "presence"
  lambdas_dir        = local.lambdas_dir
  timeout_seconds    = local.presence_timeout
  log_retention_days = var.log_retention_days
  has_policy         = true
  policy             = data.aws_iam_policy_document.presence.json
  tags               = local.tags

  environment = merge({
    SUMU_CONNECTIONS_TABLE   = aws_dynamodb_table.connections.name
    SUMU_STATE_TABLE         = aws_dynamodb_table.state.name
    SUMU_CHECKS_QUEUE_URL    = aws_sqs_queue.checks[0].url
    SUMU_PRESENCE_GRACE      = var.presence_grace
    SUMU_MANAGEMENT_ENDPOINT = local.management_endpoint
    SUMU_MANAGEMENT_HOSTS    = local.own_host
    }, var.presence_source == "queue" ? {
    SUMU_PRESENCE_QUEUE_URL = aws_sqs_queue.messages.url
    } : {
    SUMU_PRESENCE_TOPIC_ARN = aws_sns_topic.messages.arn
  })
}

resource "aws_lambda_event_source_mapping" "stream" {
  count                   = local.presence ? 1 : 0
  event_source_arn        = aws_dynamodb_table.connections.stream_arn
  function_name           = module.presence[0].arn
  starting_position       = "LATEST"
  batch_size              = 100
  parallelization_factor  = 4
  function_response_types = ["ReportBatchItemFailures"]

  # A record waits for the end of an outage, for as long as the stream keeps it:
  # 24 h. One whose user alone cannot be evaluated goes to the checks.
  maximum_record_age_in_seconds  = -1
  maximum_retry_attempts         = -1
  bisect_batch_on_function_error = true

  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.presence_dead[0].arn
    }
  }
}

# Users to check again when their grace is over.
resource "aws_sqs_queue" "checks" {
  count                      = local.presence ? 1 : 0
  name                       = "${var.prefix}-presence-checks"
  visibility_timeout_seconds = 6 * local.presence_timeout
  message_retention_seconds  = local.retention
  sqs_managed_sse_enabled    = true
  tags                       = local.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.presence_dead[0].arn
    maxReceiveCount     = local.receives
  })
}

resource "aws_lambda_event_source_mapping" "checks" {
  count                   = local.presence ? 1 : 0
  event_source_arn        = aws_sqs_queue.checks[0].arn
  function_name           = module.presence[0].arn
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]
}

resource "aws_sqs_queue" "presence_dead" {
  count                     = local.presence ? 1 : 0
  name                      = "${var.prefix}-presence-dead"
  message_retention_seconds = local.dead_retention
  sqs_managed_sse_enabled   = true
  tags                      = local.tags
}

# The sweeper: until a row that has expired is swept, its user counts as online.
resource "aws_cloudwatch_event_rule" "sweep" {
  count               = local.presence ? 1 : 0
  name                = "${var.prefix}-sweep"
  description         = "Removes expired connections and repairs presence"
  schedule_expression = "rate(1 minute)"
  tags                = local.tags
}

resource "aws_cloudwatch_event_target" "sweep" {
  count = local.presence ? 1 : 0
  rule  = aws_cloudwatch_event_rule.sweep[0].name
  arn   = module.presence[0].arn

  # The next minute sweeps again.
  retry_policy {
    maximum_event_age_in_seconds = 60
    maximum_retry_attempts       = 0
  }
}

resource "aws_lambda_permission" "sweep" {
  count         = local.presence ? 1 : 0
  statement_id  = "AllowSweep"
  action        = "lambda:InvokeFunction"
  function_name = module.presence[0].name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.sweep[0].arn
}

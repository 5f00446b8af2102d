resource "aws_lambda_event_source_mapping" "queue" {
  event_source_arn = var.notifications_queue_arn
  function_name    = module.function.arn
  batch_size       = 10
  # Without it what failed would be deleted.
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.max_concurrency
  }
}

resource "aws_sns_topic_subscription" "topic" {
  count     = var.topic_enabled ? 1 : 0
  topic_arn = var.notifications_topic_arn
  protocol  = "lambda"
  endpoint  = module.function.arn
}

resource "aws_lambda_permission" "topic" {
  count         = var.topic_enabled ? 1 : 0
  statement_id  = "AllowNotificationsTopic"
  action        = "lambda:InvokeFunction"
  function_name = module.function.name
  principal     = "sns.amazonaws.com"
  source_arn    = var.notifications_topic_arn
}

# Lambda tries what a topic delivers three times in all; then it goes here.
resource "aws_lambda_function_event_invoke_config" "topic" {
  count         = var.topic_enabled ? 1 : 0
  function_name = module.function.name

  destination_config {
    on_failure {
      destination = aws_sqs_queue.rejected.arn
    }
  }
}

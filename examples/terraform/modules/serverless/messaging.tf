# Input: what backends ask to be pushed.

resource "aws_sns_topic" "notifications" {
  name = "${var.prefix}-notifications"
  tags = local.tags
}

resource "aws_sqs_queue" "notifications" {
  name                       = "${var.prefix}-notifications"
  visibility_timeout_seconds = 6 * local.pusher_timeout
  message_retention_seconds  = local.retention
  sqs_managed_sse_enabled    = true
  tags                       = local.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.notifications_dead.arn
    maxReceiveCount     = local.receives
  })
}

resource "aws_sqs_queue" "notifications_dead" {
  name                      = "${var.prefix}-notifications-dead"
  message_retention_seconds = local.dead_retention
  sqs_managed_sse_enabled   = true
  tags                      = local.tags
}

# Output: what clients publish and send, and presence events.

resource "aws_sns_topic" "messages" {
  name = "${var.prefix}-messages"
  tags = local.tags
}

resource "aws_sqs_queue" "messages" {
  name                       = "${var.prefix}-messages"
  visibility_timeout_seconds = 6 * local.backend_timeout
  message_retention_seconds  = local.retention
  sqs_managed_sse_enabled    = true
  tags                       = local.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.messages_dead.arn
    maxReceiveCount     = local.receives
  })
}

resource "aws_sqs_queue" "messages_dead" {
  name                      = "${var.prefix}-messages-dead"
  message_retention_seconds = local.dead_retention
  sqs_managed_sse_enabled   = true
  tags                      = local.tags
}

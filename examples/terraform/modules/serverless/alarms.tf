locals {
  queues_dead = merge({
    notifications = aws_sqs_queue.notifications_dead.name
    messages      = aws_sqs_queue.messages_dead.name
    rejected      = module.pusher.rejected_queue.name
    }, local.presence ? {
    presence = aws_sqs_queue.presence_dead[0].name
  } : {})
  functions = merge({
    authorizer = module.authorizer.name
    websocket  = module.websocket.name
    pusher     = module.pusher.lambda.name
    }, local.presence ? {
    presence = module.presence[0].name
  } : {})
  notify = var.alarms_topic_arn == null ? [] : [var.alarms_topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "dead" {
  for_each            = local.queues_dead
  alarm_name          = "${var.prefix}-${each.key}-dead"
  alarm_description   = "Something was given up: see the messages of ${each.value}."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.notify
  tags                = local.tags
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each            = local.functions
  alarm_name          = "${var.prefix}-${each.key}-errors"
  alarm_description   = "The function fails or times out. A token that is refused counts as an error of the authorizer too: hence its higher threshold."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = each.value }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 3
  threshold           = each.key == "authorizer" ? 100 : 5
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.notify
  tags                = local.tags
}

resource "aws_cloudwatch_metric_alarm" "waiting" {
  alarm_name          = "${var.prefix}-notifications-waiting"
  alarm_description   = "Notifications wait for a pusher for more than a minute."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.notifications.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  threshold           = 60
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.notify
  tags                = local.tags
}

resource "aws_cloudwatch_metric_alarm" "stream" {
  count               = local.presence ? 1 : 0
  alarm_name          = "${var.prefix}-presence-late"
  alarm_description   = "Presence is more than a minute behind the stream."
  namespace           = "AWS/Lambda"
  metric_name         = "IteratorAge"
  dimensions          = { FunctionName = module.presence[0].name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  threshold           = 60000
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.notify
  tags                = local.tags
}

resource "aws_cloudwatch_metric_alarm" "integration" {
  alarm_name          = "${var.prefix}-websocket-integration"
  alarm_description   = "API Gateway does not get an answer of what is behind it."
  namespace           = "AWS/ApiGateway"
  metric_name         = "IntegrationError"
  dimensions          = { ApiId = aws_apigatewayv2_api.this.id, Stage = var.stage_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 10
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.notify
  tags                = local.tags
}

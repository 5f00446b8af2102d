locals {
  widgets = [
    { title = "Clients", metrics = [
      for m in ["ConnectCount", "MessageCount", "ClientError", "IntegrationError", "ExecutionError"] :
      ["AWS/ApiGateway", m, "ApiId", aws_apigatewayv2_api.this.id, "Stage", var.stage_name, { stat = "Sum" }]
    ] },
    { title = "Notifications", metrics = [
      ["AWS/SQS", "NumberOfMessagesSent", "QueueName", aws_sqs_queue.notifications.name, { stat = "Sum" }],
      ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", aws_sqs_queue.notifications.name, { stat = "Maximum" }],
      ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", aws_sqs_queue.notifications.name, { stat = "Maximum" }],
    ] },
    { title = "Functions: duration", metrics = [
      for name in values(local.functions) : ["AWS/Lambda", "Duration", "FunctionName", name, { stat = "p95" }]
    ] },
    { title = "Functions: errors and throttles", metrics = concat(
      [for name in values(local.functions) : ["AWS/Lambda", "Errors", "FunctionName", name, { stat = "Sum" }]],
      [for name in values(local.functions) : ["AWS/Lambda", "Throttles", "FunctionName", name, { stat = "Sum" }]],
    ) },
    { title = "Given up", metrics = [
      for name in values(local.queues_dead) : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", name, { stat = "Maximum" }]
    ] },
    { title = "Tables: capacity used", metrics = [
      for pair in setproduct(
        [aws_dynamodb_table.connections.name, aws_dynamodb_table.state.name],
        ["ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"],
      ) : ["AWS/DynamoDB", pair[1], "TableName", pair[0], { stat = "Sum" }]
    ] },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "${var.prefix}-sumu"
  dashboard_body = jsonencode({
    widgets = [for i, w in local.widgets : {
      type   = "metric"
      x      = 12 * (i % 2)
      y      = 6 * floor(i / 2)
      width  = 12
      height = 6
      properties = {
        title   = w.title
        region  = data.aws_region.current.id
        metrics = w.metrics
        view    = "timeSeries"
        period  = 60
      }
    }]
  })
}

output "ws_api_id" {
  value = aws_apigatewayv2_api.this.id
}

output "ws_api_stage_name" {
  value = aws_apigatewayv2_stage.this.name
}

output "ws_url" {
  description = "What clients open, without a domain of your own."
  value       = "${aws_apigatewayv2_api.this.api_endpoint}/${var.stage_name}"
}

output "apigw_endpoint" {
  description = "The management endpoint that rows name."
  value       = local.management_endpoint
}

output "notifications" {
  description = "Input: where backends ask for pushes."
  value = {
    topic = {
      name = aws_sns_topic.notifications.name
      arn  = aws_sns_topic.notifications.arn
    }
    queue = {
      name = aws_sqs_queue.notifications.name
      arn  = aws_sqs_queue.notifications.arn
      url  = aws_sqs_queue.notifications.url
    }
  }
}

output "messages" {
  description = "Output: what clients publish and send, and presence events."
  value = {
    topic = {
      name = aws_sns_topic.messages.name
      arn  = aws_sns_topic.messages.arn
    }
    queue = {
      name = aws_sqs_queue.messages.name
      arn  = aws_sqs_queue.messages.arn
      url  = aws_sqs_queue.messages.url
    }
  }
}

output "connections_table" {
  value = {
    name       = aws_dynamodb_table.connections.name
    arn        = aws_dynamodb_table.connections.arn
    stream_arn = aws_dynamodb_table.connections.stream_arn
  }
}

output "state_table" {
  value = {
    name = aws_dynamodb_table.state.name
    arn  = aws_dynamodb_table.state.arn
  }
}

output "mapping_templates" {
  description = "The mapping templates as API Gateway gets them."
  value       = local.mapping
}

# publish to SNS and send to SQS, without a function between. The message goes
# in the body of the call, not in its query: API Gateway ends a query at some
# 10 KB, and a message has 128 KB.

locals {
  backends = local.direct.messages ? {
    publish = {
      uri         = "sns:path//"
      description = "Hands publish to the messages topic"
    }
    send = {
      uri         = "sqs:path/${split(":", aws_sqs_queue.messages.arn)[4]}/${aws_sqs_queue.messages.name}"
      description = "Hands send to the messages queue"
    }
  } : {}
}

resource "aws_apigatewayv2_integration" "backend" {
  for_each             = local.backends
  api_id               = aws_apigatewayv2_api.this.id
  description          = each.value.description
  integration_type     = "AWS"
  integration_method   = "POST"
  integration_uri      = "arn:${data.aws_partition.current.partition}:apigateway:${data.aws_region.current.id}:${each.value.uri}"
  credentials_arn      = aws_iam_role.apigateway.arn
  passthrough_behavior = "NEVER"
  timeout_milliseconds = 10000

  request_parameters = {
    "integration.request.header.Content-Type" = "'application/x-www-form-urlencoded'"
  }
  template_selection_expression = "\\$default"
  request_templates             = { "$default" = local.mapping[each.key] }
}

resource "aws_apigatewayv2_route" "backend" {
  for_each                            = local.backends
  api_id                              = aws_apigatewayv2_api.this.id
  route_key                           = each.key
  route_response_selection_expression = "$default"
  target                              = "integrations/${aws_apigatewayv2_integration.backend[each.key].id}"
}

resource "aws_apigatewayv2_route_response" "backend" {
  for_each           = local.backends
  api_id             = aws_apigatewayv2_api.this.id
  route_id           = aws_apigatewayv2_route.backend[each.key].id
  route_response_key = "$default"
}

resource "aws_apigatewayv2_integration_response" "ack" {
  for_each                      = local.backends
  api_id                        = aws_apigatewayv2_api.this.id
  integration_id                = aws_apigatewayv2_integration.backend[each.key].id
  integration_response_key      = "/200/"
  template_selection_expression = "\\$default"
  response_templates            = { "$default" = local.mapping["${each.key}_ack"] }
}

resource "aws_apigatewayv2_integration_response" "error" {
  for_each                      = local.backends
  api_id                        = aws_apigatewayv2_api.this.id
  integration_id                = aws_apigatewayv2_integration.backend[each.key].id
  integration_response_key      = "$default"
  template_selection_expression = "\\$default"
  response_templates            = { "$default" = local.mapping["${each.key}_error"] }
}

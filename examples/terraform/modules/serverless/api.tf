resource "aws_apigatewayv2_api" "this" {
  name                       = "${var.prefix}-websocket"
  description                = "sumu"
  protocol_type              = "WEBSOCKET"
  route_selection_expression = "$request.body.action"
  tags                       = local.tags
}

resource "aws_apigatewayv2_stage" "this" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = var.stage_name
  auto_deploy = true
  tags        = local.tags

  default_route_settings {
    # Execution logs would hold queries and bodies, and so tokens.
    logging_level          = "OFF"
    data_trace_enabled     = false
    throttling_rate_limit  = var.throttling_rate_limit
    throttling_burst_limit = var.throttling_burst_limit
  }

  dynamic "access_log_settings" {
    for_each = var.access_logs ? [1] : []
    content {
      destination_arn = aws_cloudwatch_log_group.access[0].arn
      format          = jsonencode(local.access_log)
    }
  }

  # A deployment without routes is refused.
  depends_on = [
    aws_apigatewayv2_route.connect,
    aws_apigatewayv2_route.disconnect,
    aws_apigatewayv2_route.function,
    aws_apigatewayv2_route.ping,
    aws_api_gateway_account.this,
  ]

  lifecycle {
    ignore_changes = [deployment_id]
  }
}

locals {
  access_log = {
    requestId         = "$context.requestId"
    extendedRequestId = "$context.extendedRequestId"
    requestTime       = "$context.requestTime"
    eventType         = "$context.eventType"
    routeKey          = "$context.routeKey"
    status            = "$context.status"
    connectionId      = "$context.connectionId"
    principalId       = "$context.authorizer.principalId"
    integrationStatus = "$context.integrationStatus"
    authorizerStatus  = "$context.authorizer.status"
  }
}

resource "aws_cloudwatch_log_group" "access" {
  count             = var.access_logs ? 1 : 0
  name              = "/aws/apigateway/${var.prefix}-websocket"
  retention_in_days = var.log_retention_days
  tags              = local.tags
}

resource "aws_api_gateway_account" "this" {
  count               = var.apigw_account_role ? 1 : 0
  cloudwatch_role_arn = aws_iam_role.account[0].arn
}

resource "aws_iam_role" "account" {
  count              = var.apigw_account_role ? 1 : 0
  name               = "${var.prefix}-apigateway-logs"
  assume_role_policy = data.aws_iam_policy_document.apigateway_assume.json
  tags               = local.tags
}

# The policy that AWS asks for: API Gateway refuses a role that has less.
resource "aws_iam_role_policy_attachment" "account" {
  count      = var.apigw_account_role ? 1 : 0
  role       = aws_iam_role.account[0].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
}

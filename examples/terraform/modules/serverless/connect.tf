# $connect and $disconnect, by the websocket function or by API Gateway itself.

resource "aws_apigatewayv2_route" "connect" {
  api_id             = aws_apigatewayv2_api.this.id
  route_key          = "$connect"
  authorization_type = "CUSTOM"
  authorizer_id      = aws_apigatewayv2_authorizer.token.id
  target             = "integrations/${local.direct.connect ? aws_apigatewayv2_integration.connect[0].id : aws_apigatewayv2_integration.websocket.id}"
}

resource "aws_apigatewayv2_route" "disconnect" {
  api_id    = aws_apigatewayv2_api.this.id
  route_key = "$disconnect"
  target    = "integrations/${local.direct.connect ? aws_apigatewayv2_integration.disconnect[0].id : aws_apigatewayv2_integration.websocket.id}"
}

resource "aws_apigatewayv2_integration" "connect" {
  count                         = local.direct.connect ? 1 : 0
  api_id                        = aws_apigatewayv2_api.this.id
  description                   = "Writes the row of a connection"
  integration_type              = "AWS"
  integration_method            = "POST"
  integration_uri               = "arn:${data.aws_partition.current.partition}:apigateway:${data.aws_region.current.id}:dynamodb:action/PutItem"
  credentials_arn               = aws_iam_role.apigateway.arn
  passthrough_behavior          = "NEVER"
  template_selection_expression = "\\$default"
  request_templates             = { "$default" = local.mapping.connect }
  timeout_milliseconds          = 10000
}

# No $default: what DynamoDB refuses refuses the connection.
resource "aws_apigatewayv2_integration_response" "connect" {
  count                    = local.direct.connect ? 1 : 0
  api_id                   = aws_apigatewayv2_api.this.id
  integration_id           = aws_apigatewayv2_integration.connect[0].id
  integration_response_key = "/200/"
}

resource "aws_apigatewayv2_integration" "disconnect" {
  count                         = local.direct.connect ? 1 : 0
  api_id                        = aws_apigatewayv2_api.this.id
  description                   = "Removes the row of a connection"
  integration_type              = "AWS"
  integration_method            = "POST"
  integration_uri               = "arn:${data.aws_partition.current.partition}:apigateway:${data.aws_region.current.id}:dynamodb:action/DeleteItem"
  credentials_arn               = aws_iam_role.apigateway.arn
  passthrough_behavior          = "NEVER"
  template_selection_expression = "\\$default"
  request_templates             = { "$default" = local.mapping.disconnect }
  timeout_milliseconds          = 10000
}

resource "aws_apigatewayv2_integration_response" "disconnect" {
  count                    = local.direct.connect ? 1 : 0
  api_id                   = aws_apigatewayv2_api.this.id
  integration_id           = aws_apigatewayv2_integration.disconnect[0].id
  integration_response_key = "/200/"
}

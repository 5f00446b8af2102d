locals {
  # Those whose answer goes to the client. Any other action gets the answer of
  # $default.
  replying = concat(
    ["$default", "join", "joinchannel", "leave", "leavechannel", "sendmessage", "subscribe", "unsubscribe"],
    local.direct.messages ? [] : ["publish", "send"],
  )
  # keepalive has no answer: one would double the price of being idle.
  function_routes = concat(local.replying, ["keepalive"])
}

resource "aws_apigatewayv2_integration" "websocket" {
  api_id               = aws_apigatewayv2_api.this.id
  description          = "The websocket function"
  integration_type     = "AWS_PROXY"
  integration_method   = "POST"
  integration_uri      = module.websocket.invoke_arn
  timeout_milliseconds = 29000
}

resource "aws_apigatewayv2_route" "function" {
  for_each  = toset(local.function_routes)
  api_id    = aws_apigatewayv2_api.this.id
  route_key = each.value
  target    = "integrations/${aws_apigatewayv2_integration.websocket.id}"

  route_response_selection_expression = contains(local.replying, each.value) ? "$default" : null
}

resource "aws_apigatewayv2_route_response" "function" {
  for_each           = toset(local.replying)
  api_id             = aws_apigatewayv2_api.this.id
  route_id           = aws_apigatewayv2_route.function[each.value].id
  route_response_key = "$default"
}

# ping is answered by API Gateway alone: it costs the two messages, no Lambda.

resource "aws_apigatewayv2_integration" "ping" {
  api_id                        = aws_apigatewayv2_api.this.id
  description                   = "Answers pong"
  integration_type              = "MOCK"
  template_selection_expression = "\\$default"
  request_templates             = { "$default" = local.mapping.ping }
}

resource "aws_apigatewayv2_integration_response" "ping" {
  api_id                        = aws_apigatewayv2_api.this.id
  integration_id                = aws_apigatewayv2_integration.ping.id
  integration_response_key      = "/200/"
  template_selection_expression = "\\$default"
  response_templates            = { "$default" = local.mapping.pong }
}

resource "aws_apigatewayv2_route" "ping" {
  api_id                              = aws_apigatewayv2_api.this.id
  route_key                           = "ping"
  route_response_selection_expression = "$default"
  target                              = "integrations/${aws_apigatewayv2_integration.ping.id}"
}

resource "aws_apigatewayv2_route_response" "ping" {
  api_id             = aws_apigatewayv2_api.this.id
  route_id           = aws_apigatewayv2_route.ping.id
  route_response_key = "$default"
}

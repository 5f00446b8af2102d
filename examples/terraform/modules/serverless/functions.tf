module "authorizer" {
  source = "../function"

  name               = "${var.prefix}-authorizer"
  description        = "Verifies the token of who connects"
  binary             = "authorizer"
  lambdas_dir        = local.lambdas_dir
  log_retention_days = var.log_retention_days
  tags               = local.tags

  environment = {
    JWT_ISSUER_JWKS_URI       = var.issuer_jwks_uri
    JWT_ISSUER                = var.issuer
    JWT_AUTHORIZED_AUDIENCES  = join(",", var.authorized_audiences)
    JWT_AUDIENCE_CLAIMS       = join(",", var.audience_claims)
    JWT_INSECURE_ANY_AUDIENCE = tostring(var.insecure_any_audience)
    JWT_INSECURE_ANY_ISSUER   = tostring(var.insecure_any_issuer)
    JWT_VERIFY_EXPIRATION     = tostring(var.verify_token_expiration)
    JWT_USER_ID_CLAIM         = var.user_id_claim
    JWT_CLAIMS                = join(",", var.claims)
    JWT_GRANTS                = var.grants
    SUMU_ORIGINS              = join(",", var.origins)
  }
}

# No identity source: with one, API Gateway itself refuses clients that present
# their token elsewhere, as in the sub-protocol.
resource "aws_apigatewayv2_authorizer" "token" {
  api_id          = aws_apigatewayv2_api.this.id
  name            = "${var.prefix}-token"
  authorizer_type = "REQUEST"
  authorizer_uri  = module.authorizer.invoke_arn
}

resource "aws_lambda_permission" "authorizer" {
  statement_id  = "AllowAuthorizer"
  action        = "lambda:InvokeFunction"
  function_name = module.authorizer.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/authorizers/${aws_apigatewayv2_authorizer.token.id}"
}

module "websocket" {
  source = "../function"

  name               = "${var.prefix}-websocket"
  description        = "Serves the routes of the WebSocket API"
  binary             = "websocket"
  lambdas_dir        = local.lambdas_dir
  timeout_seconds    = 29
  log_retention_days = var.log_retention_days
  has_policy         = true
  policy             = data.aws_iam_policy_document.websocket.json
  tags               = local.tags

  environment = merge({
    SUMU_CONNECTIONS_TABLE  = aws_dynamodb_table.connections.name
    SUMU_STATE_TABLE        = aws_dynamodb_table.state.name
    SUMU_REQUESTS_QUEUE_URL = aws_sqs_queue.notifications.url
    SUMU_DEFAULT_CHANNEL    = var.default_channel
    SUMU_OPEN               = tostring(var.insecure_open_channels)
    SUMU_MAX_CONNECTIONS    = tostring(var.max_connections_per_user)
    SUMU_EVICT_OLDEST       = tostring(var.evict_oldest_connection)
    }, var.apigw_endpoint == null ? {} : {
    SUMU_MANAGEMENT_ENDPOINT = local.management_endpoint
    }, local.direct.messages ? {} : {
    SUMU_OUTPUT_TOPIC_ARN = aws_sns_topic.messages.arn
    SUMU_OUTPUT_QUEUE_URL = aws_sqs_queue.messages.url
  })
}

resource "aws_lambda_permission" "websocket" {
  statement_id  = "AllowWebSocket"
  action        = "lambda:InvokeFunction"
  function_name = module.websocket.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/${var.stage_name}/*"
}

module "pusher" {
  source = "../pusher"

  prefix                  = var.prefix
  common_tags             = local.tags
  agma_arn                = "${aws_apigatewayv2_api.this.execution_arn}/${var.stage_name}/POST/@connections"
  apigw_endpoint          = local.management_endpoint
  connections_table       = aws_dynamodb_table.connections
  state_table             = aws_dynamodb_table.state
  notifications_topic_arn = aws_sns_topic.notifications.arn
  notifications_queue_arn = aws_sqs_queue.notifications.arn
  # Rows that were written before a domain was put in front name this one.
  management_hosts   = [local.own_host]
  lambdas_dir        = local.lambdas_dir
  timeout_seconds    = local.pusher_timeout
  max_concurrency    = var.pusher_max_concurrency
  log_retention_days = var.log_retention_days
}

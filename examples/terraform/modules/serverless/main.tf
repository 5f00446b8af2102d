data "aws_region" "current" {}
data "aws_partition" "current" {}

locals {
  lambdas_dir = coalesce(var.lambdas_dir, "${path.module}/../../../serverless/dist")
  tags        = merge(var.common_tags, { Stack = "${var.prefix}-sumu" })

  # The rows of connections name it, and the pusher posts there.
  management_endpoint = var.apigw_endpoint != null ? trimsuffix(coalesce(var.apigw_endpoint, "-"), "/") : local.own_endpoint
  own_endpoint        = "${replace(aws_apigatewayv2_api.this.api_endpoint, "wss://", "https://")}/${var.stage_name}"

  own_host = replace(aws_apigatewayv2_api.this.api_endpoint, "wss://", "")

  presence = var.presence_source != "none"
  direct = {
    connect  = var.connect_integration == "direct"
    messages = var.messages_integration == "direct"
  }

  # SQS hides a message for six times as long as its function may run, as AWS
  # advises: a pusher leases a message for 5 s more than it may run.
  pusher_timeout   = 60
  presence_timeout = 60
  backend_timeout  = 30 # of what you connect to the messages queue

  # A pusher moves what an outage keeps, from the third receive on.
  receives       = 5
  retention      = 345600  # 4 days: for as long a pusher tries to outlast an outage
  dead_retention = 1209600 # 14 days, the longest
}

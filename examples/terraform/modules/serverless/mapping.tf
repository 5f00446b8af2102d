# The mapping templates, each a file of mapping/. A template is its lines
# without the space around them, one after the other: a line's end would become
# part of a form's value.

locals {
  values = {
    connections_table = aws_dynamodb_table.connections.name
    endpoint          = local.management_endpoint
    topic_arn         = aws_sns_topic.messages.arn
  }
  mapping = {
    for name, text in {
      connect       = templatefile("${path.module}/mapping/connect.vtl", local.values)
      disconnect    = templatefile("${path.module}/mapping/disconnect.vtl", local.values)
      publish       = templatefile("${path.module}/mapping/publish.vtl", local.values)
      publish_ack   = file("${path.module}/mapping/publish_ack.vtl")
      publish_error = templatefile("${path.module}/mapping/error.vtl", { action = "publish" })
      send          = file("${path.module}/mapping/send.vtl")
      send_ack      = file("${path.module}/mapping/send_ack.vtl")
      send_error    = templatefile("${path.module}/mapping/error.vtl", { action = "send" })
      ping          = file("${path.module}/mapping/ping.vtl")
      pong          = file("${path.module}/mapping/pong.vtl")
    } : name => join("", [for line in split("\n", text) : trimspace(line)])
  }
}

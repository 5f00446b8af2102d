data "aws_iam_policy_document" "pusher" {
  statement {
    sid       = "Connections"
    actions   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"]
    resources = [var.connections_table.arn]
  }

  statement {
    sid       = "State"
    actions   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]
    resources = [local.state_table.arn]
  }

  statement {
    sid       = "Sockets"
    actions   = ["execute-api:ManageConnections"]
    resources = ["${var.agma_arn}/*"]
  }

  statement {
    sid       = "Requeue"
    actions   = ["sqs:SendMessage"]
    resources = [var.notifications_queue_arn]
  }

  statement {
    sid       = "Reject"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.rejected.arn]
  }

  # Lambda itself reads the queue in the function's name.
  statement {
    sid       = "ReadRequests"
    actions   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    resources = [var.notifications_queue_arn]
  }
}

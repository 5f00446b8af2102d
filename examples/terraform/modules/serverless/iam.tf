# What each function may call is what its code calls: a test compares the two.

data "aws_iam_policy_document" "websocket" {
  statement {
    sid       = "Connections"
    actions   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"]
    resources = [aws_dynamodb_table.connections.arn]
  }

  statement {
    sid       = "State"
    actions   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
    resources = [aws_dynamodb_table.state.arn]
  }

  # Caps count a user's connections.
  dynamic "statement" {
    for_each = var.max_connections_per_user > 0 ? [1] : []
    content {
      sid       = "Caps"
      actions   = ["dynamodb:Query"]
      resources = [aws_dynamodb_table.connections.arn]
    }
  }

  statement {
    sid       = "Request"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.notifications.arn]
  }

  dynamic "statement" {
    for_each = local.direct.messages ? [] : [1]
    content {
      sid       = "Publish"
      actions   = ["sns:Publish"]
      resources = [aws_sns_topic.messages.arn]
    }
  }

  dynamic "statement" {
    for_each = local.direct.messages ? [] : [1]
    content {
      sid       = "Send"
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.messages.arn]
    }
  }
}

data "aws_iam_policy_document" "presence" {
  statement {
    sid       = "Connections"
    actions   = ["dynamodb:DeleteItem", "dynamodb:Query", "dynamodb:Scan"]
    resources = [aws_dynamodb_table.connections.arn]
  }

  statement {
    sid       = "State"
    actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Scan", "dynamodb:UpdateItem"]
    resources = [aws_dynamodb_table.state.arn]
  }

  statement {
    sid       = "Sockets"
    actions   = ["execute-api:ManageConnections"]
    resources = ["${aws_apigatewayv2_api.this.execution_arn}/${var.stage_name}/GET/@connections/*"]
  }

  dynamic "statement" {
    for_each = local.presence ? [1] : []
    content {
      sid       = "Later"
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.checks[0].arn]
    }
  }

  dynamic "statement" {
    for_each = var.presence_source == "topic" ? [1] : []
    content {
      sid       = "TellTopic"
      actions   = ["sns:Publish"]
      resources = [aws_sns_topic.messages.arn]
    }
  }

  dynamic "statement" {
    for_each = var.presence_source == "queue" ? [1] : []
    content {
      sid       = "TellQueue"
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.messages.arn]
    }
  }

  # Lambda itself reads the sources in the function's name.
  statement {
    sid       = "ReadStream"
    actions   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"]
    resources = ["${aws_dynamodb_table.connections.arn}/stream/*"]
  }

  dynamic "statement" {
    for_each = local.presence ? [1] : []
    content {
      sid       = "ReadChecks"
      actions   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
      resources = [aws_sqs_queue.checks[0].arn]
    }
  }

  dynamic "statement" {
    for_each = local.presence ? [1] : []
    content {
      sid       = "GiveUp"
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.presence_dead[0].arn]
    }
  }
}

# The role of API Gateway, for its direct integrations.

data "aws_iam_policy_document" "apigateway_assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["apigateway.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "apigateway" {
  name               = "${var.prefix}-apigateway"
  assume_role_policy = data.aws_iam_policy_document.apigateway_assume.json
  tags               = local.tags
}

data "aws_iam_policy_document" "apigateway" {
  dynamic "statement" {
    for_each = local.direct.messages ? [1] : []
    content {
      sid       = "Publish"
      actions   = ["sns:Publish"]
      resources = [aws_sns_topic.messages.arn]
    }
  }

  dynamic "statement" {
    for_each = local.direct.messages ? [1] : []
    content {
      sid       = "Send"
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.messages.arn]
    }
  }

  dynamic "statement" {
    for_each = local.direct.connect ? [1] : []
    content {
      sid       = "Connections"
      actions   = ["dynamodb:DeleteItem", "dynamodb:PutItem"]
      resources = [aws_dynamodb_table.connections.arn]
    }
  }
}

resource "aws_iam_role_policy" "apigateway" {
  count  = local.direct.messages || local.direct.connect ? 1 : 0
  name   = "integrations"
  role   = aws_iam_role.apigateway.id
  policy = data.aws_iam_policy_document.apigateway.json
}

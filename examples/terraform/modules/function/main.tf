# One Lambda of examples/serverless, with a role and a log group of its own.

locals {
  zip   = "${var.lambdas_dir}/${var.binary}.zip"
  built = fileexists(local.zip)
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  name               = var.name
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = var.tags
}

data "aws_iam_policy_document" "logs" {
  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }
}

resource "aws_iam_role_policy" "logs" {
  name   = "logs"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.logs.json
}

# A count needs a value that is known before the policy is: hence the flag.
resource "aws_iam_role_policy" "calls" {
  count  = var.has_policy ? 1 : 0
  name   = "calls"
  role   = aws_iam_role.this.id
  policy = var.policy
}

resource "aws_lambda_function" "this" {
  function_name = var.name
  description   = var.description
  role          = aws_iam_role.this.arn
  runtime       = "provided.al2023"
  architectures = ["arm64"]
  handler       = "bootstrap"
  memory_size   = var.memory_mb
  timeout       = var.timeout_seconds

  filename         = local.zip
  source_code_hash = local.built ? filebase64sha256(local.zip) : null

  reserved_concurrent_executions = var.reserved_concurrency

  dynamic "environment" {
    for_each = length(var.environment) > 0 ? [1] : []
    content {
      variables = var.environment
    }
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  tags       = var.tags
  depends_on = [aws_iam_role_policy.logs, aws_iam_role_policy.calls]

  lifecycle {
    precondition {
      condition     = local.built
      error_message = "There is no ${local.zip}: run \"make lambdas\" in a checkout of sumu, or set lambdas_dir to the folder of the zip files."
    }
  }
}

# terraform test: the inputs of the original's module are enough.

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "AKIAFAKE"
  secret_key                  = "fake"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

variables {
  prefix                  = "demo"
  common_tags             = {}
  agma_arn                = "arn:aws:execute-api:us-east-1:123456789012:abc123/prod/POST/@connections"
  apigw_endpoint          = "https://live.example.com/push"
  connections_table       = { name = "SumuConnections", arn = "arn:aws:dynamodb:us-east-1:123456789012:table/SumuConnections" }
  notifications_topic_arn = "arn:aws:sns:us-east-1:123456789012:notifications"
  notifications_queue_arn = "arn:aws:sqs:us-east-1:123456789012:notifications"
}

run "inputs_of_the_original" {
  command = plan
  assert {
    condition     = length(aws_dynamodb_table.state) == 1 && output.queue_url == "https://sqs.us-east-1.amazonaws.com/123456789012/notifications"
    error_message = "It has a table of its own, and sends what remains to its queue."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.queue.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "What failed would be deleted."
  }
  assert {
    condition     = output.lambda.name == "demo-pusher"
    error_message = "The original's output is named lambda."
  }
}

run "shared_state" {
  command = plan
  variables {
    state_table = { name = "demo-state", arn = "arn:aws:dynamodb:us-east-1:123456789012:table/demo-state" }
  }
  assert {
    condition     = length(aws_dynamodb_table.state) == 0
    error_message = "A given table is used."
  }
}

run "without_a_topic" {
  command = plan
  variables {
    notifications_topic_arn = null
    topic_enabled           = false
  }
}

run "topic_that_is_missing" {
  command = plan
  variables {
    notifications_topic_arn = null
  }
  expect_failures = [var.topic_enabled]
}

run "every_stage" {
  command = plan
  variables {
    agma_arn = "arn:aws:execute-api:us-east-1:123456789012:abc123/*/POST/@connections"
  }
  expect_failures = [var.agma_arn]
}

run "endpoint_of_clients" {
  command = plan
  variables {
    apigw_endpoint = "wss://live.example.com/push"
  }
  expect_failures = [var.apigw_endpoint]
}

run "too_many_pushers" {
  command = plan
  variables {
    max_concurrency = 1001
  }
  expect_failures = [var.max_concurrency]
}

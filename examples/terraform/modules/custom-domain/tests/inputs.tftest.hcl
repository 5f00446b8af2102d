provider "aws" {
  region                      = "us-east-1"
  access_key                  = "AKIAFAKE"
  secret_key                  = "fake"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

variables {
  prefix      = "demo"
  r53_zone_id = "Z123"
  cert_arn    = "arn:aws:acm:us-east-1:123456789012:certificate/x"
  domain_name = "example.com"
  sub_domains = { statefull = "live" }
  ws_apis     = [{ id = "abc123", key = "push", stage = "prod" }]
}

run "one_api" {
  command = plan
  assert {
    condition     = output.ws_urls["push"] == "wss://live.example.com/push" && output.apigw_endpoints["push"] == "https://live.example.com/push"
    error_message = "The stage is not part of an address behind a domain."
  }
  assert {
    condition     = length(aws_apigatewayv2_domain_name.this) == 1
    error_message = "There is no domain for HTTP APIs when there are none."
  }
}

run "at_the_root" {
  command = plan
  variables {
    ws_apis = [{ id = "abc123", key = "", stage = "prod" }]
  }
  assert {
    condition     = output.ws_urls[""] == "wss://live.example.com"
    error_message = "An empty key is the domain's root."
  }
}

run "http_beside" {
  command = plan
  variables {
    sub_domains = { statefull = "live", stateless = "api" }
    http_apis   = [{ id = "def456", key = "v1", stage = "prod" }]
  }
  assert {
    condition     = length(aws_apigatewayv2_domain_name.this) == 2 && length(aws_apigatewayv2_api_mapping.this) == 2
    error_message = "HTTP APIs have a domain of their own."
  }
}

run "http_without_sub_domain" {
  command = plan
  variables {
    http_apis = [{ id = "def456", key = "v1", stage = "prod" }]
  }
  expect_failures = [var.http_apis]
}

run "the_same_key_twice" {
  command = plan
  variables {
    ws_apis = [{ id = "a", key = "push", stage = "prod" }, { id = "b", key = "push", stage = "prod" }]
  }
  expect_failures = [var.ws_apis]
}

run "the_endpoint_of_the_stack" {
  command = plan
  variables {
    ws_apis = [
      { id = "abc123", key = "push", stage = "prod", apigw_endpoint = "https://live.example.com/push" },
      { id = "def456", key = "v2", stage = "prod", apigw_endpoint = "https://live.example.com/v2/" },
      { id = "fed654", key = "", stage = "prod", apigw_endpoint = "https://live.example.com" },
    ]
  }
}

run "an_endpoint_with_another_path" {
  command = plan
  variables {
    ws_apis = [{ id = "abc123", key = "live", stage = "prod", apigw_endpoint = "https://live.example.com/push" }]
  }
  expect_failures = [var.ws_apis]
}

run "an_endpoint_of_another_domain" {
  command = plan
  variables {
    ws_apis = [{ id = "abc123", key = "push", stage = "prod", apigw_endpoint = "https://ws.example.com/push" }]
  }
  expect_failures = [var.ws_apis]
}

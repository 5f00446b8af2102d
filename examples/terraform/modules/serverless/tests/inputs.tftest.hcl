# terraform test: what is refused, and with a sentence of which input.
# Nothing is called: runs plan only, with credentials that are none.

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "AKIAFAKE"
  secret_key                  = "fake"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

variables {
  prefix               = "demo"
  stage_name           = "prod"
  issuer_jwks_uri      = "https://www.googleapis.com/service_accounts/v1/metadata/x509/securetoken@system.gserviceaccount.com"
  authorized_audiences = ["my-project"]
}

run "defaults" {
  command = plan

  assert {
    condition     = length(aws_apigatewayv2_authorizer.token.identity_sources == null ? [] : aws_apigatewayv2_authorizer.token.identity_sources) == 0
    error_message = "An identity source refuses clients whose token is elsewhere."
  }
  assert {
    condition     = length(aws_apigatewayv2_integration.connect) == 0 && length(aws_apigatewayv2_integration.backend) == 2
    error_message = "By default the websocket function serves $connect, and publish and send are direct."
  }
  assert {
    condition     = length(aws_lambda_event_source_mapping.stream) == 1
    error_message = "Presence is on by default."
  }
  assert {
    condition     = length(local.deprecated) == 0
    error_message = "Nothing deprecated was given."
  }
}

run "everything_direct" {
  command = plan
  variables {
    connect_integration = "direct"
    presence_source     = "none"
    access_logs         = false
  }
  assert {
    condition     = length(aws_apigatewayv2_integration.connect) == 1 && length(aws_apigatewayv2_integration.disconnect) == 1
    error_message = "API Gateway writes the table itself."
  }
  assert {
    condition     = length(module.presence) == 0 && length(aws_cloudwatch_event_rule.sweep) == 0
    error_message = "presence_source none has no presence function."
  }
}

run "everything_by_lambda" {
  command = plan
  variables {
    messages_integration = "lambda"
    grants               = "join,post:room.{claims.org}.* backend:publish"
    claims               = ["org"]
  }
  assert {
    condition     = length(aws_apigatewayv2_integration.backend) == 0 && contains(keys(aws_apigatewayv2_route.function), "publish")
    error_message = "publish goes to the websocket function."
  }
}

run "no_audience" {
  command = plan
  variables {
    authorized_audiences = []
    issuer               = "https://securetoken.google.com/my-project"
  }
  expect_failures = [var.authorized_audiences]
}

run "blank_audience" {
  command = plan
  variables {
    authorized_audiences = [" "]
  }
  expect_failures = [var.authorized_audiences]
}

run "any_audience_said_so" {
  command = plan
  variables {
    authorized_audiences  = []
    insecure_any_audience = true
    issuer                = "https://securetoken.google.com/my-project"
  }
}

run "issuer_that_nothing_tells" {
  command = plan
  variables {
    issuer_jwks_uri = "https://issuer.example.com/keys"
  }
  expect_failures = [var.issuer]
}

run "issuer_of_cognito" {
  command = plan
  variables {
    issuer_jwks_uri = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123/.well-known/jwks.json"
  }
}

run "stage_behind_a_domain" {
  command = plan
  variables {
    apigw_endpoint = "https://live.example.com/prod"
  }
  expect_failures = [var.apigw_endpoint]
}

run "stage_after_the_key" {
  command = plan
  variables {
    apigw_endpoint = "https://live.example.com/push/prod/"
  }
  expect_failures = [var.apigw_endpoint]
}

run "key_that_has_the_stages_name" {
  command = plan
  variables {
    apigw_endpoint  = "https://live.example.com/prod"
    api_mapping_key = "prod"
  }
}

run "endpoint_of_another_key" {
  command = plan
  variables {
    apigw_endpoint  = "https://live.example.com/push"
    api_mapping_key = "live"
  }
  expect_failures = [var.apigw_endpoint]
}

run "domain_without_path" {
  command = plan
  variables {
    apigw_endpoint  = "https://live.example.com"
    api_mapping_key = ""
  }
}

run "own_host_without_stage" {
  command = plan
  variables {
    apigw_endpoint = "https://abc123.execute-api.us-east-1.amazonaws.com"
  }
  expect_failures = [var.apigw_endpoint]
}

run "own_host_with_stage" {
  command = plan
  variables {
    apigw_endpoint = "https://abc123.execute-api.us-east-1.amazonaws.com/prod"
  }
}

run "endpoint_of_clients" {
  command = plan
  variables {
    apigw_endpoint = "wss://live.example.com/push"
  }
  expect_failures = [var.apigw_endpoint]
}

run "channel_that_nobody_would_join" {
  command = plan
  variables {
    connect_integration = "direct"
    default_channel     = "lobby"
  }
  expect_failures = [var.default_channel]
}

run "cap_that_nobody_would_count" {
  command = plan
  variables {
    connect_integration      = "direct"
    max_connections_per_user = 3
  }
  expect_failures = [var.max_connections_per_user]
}

run "cap" {
  command = plan
  variables {
    max_connections_per_user = 3
    evict_oldest_connection  = true
  }
}

run "presence_from_elsewhere" {
  command = plan
  variables {
    presence_source = "stream"
  }
  expect_failures = [var.presence_source]
}

run "grants_that_direct_cannot_check" {
  command = plan
  variables {
    grants = "join:room.* post,backend:publish"
  }
  expect_failures = [var.grants]
}

run "a_channel_named_backend" {
  command = plan
  variables {
    grants = "join:backend:* post:x.backend"
  }
}

run "grants_that_are_none" {
  command = plan
  variables {
    grants = "join room.*"
  }
  expect_failures = [var.grants]
}

run "keys_over_http" {
  command = plan
  variables {
    issuer_jwks_uri = "http://issuer.example.com/keys"
  }
  expect_failures = [var.issuer_jwks_uri]
}

run "deprecated_inputs_are_said" {
  command = plan
  variables {
    pre_release = true
  }
  expect_failures = [check.deprecated_inputs]
}

run "no_zip_files" {
  command = plan
  variables {
    lambdas_dir = "nowhere"
  }
  expect_failures = [var.lambdas_dir]
}

run "a_key_that_nobody_has_compared" {
  command = plan
  variables {
    apigw_endpoint = "https://live.example.com/push"
  }
  expect_failures = [check.mapping_key]
}

run "a_key_that_is_the_path" {
  command = plan
  variables {
    apigw_endpoint  = "https://live.example.com/push"
    api_mapping_key = "push"
  }
}

run "the_root_that_is_a_path" {
  command = plan
  variables {
    apigw_endpoint  = "https://live.example.com/push"
    api_mapping_key = ""
  }
  expect_failures = [var.apigw_endpoint]
}

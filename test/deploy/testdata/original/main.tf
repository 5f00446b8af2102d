# The variables of the original stack's module, all of them as its users have
# them: this must plan as it is.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "AKIAFAKE"
  secret_key                  = "fake"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
}

locals {
  prefix      = "mvp"
  common_tags = { Environment = "mvp" }
}

resource "aws_s3_bucket" "artifacts" {
  bucket = "mvp-artifacts"
}

resource "aws_route53_zone" "prerequisite" {
  name = "example.com"
}

resource "aws_acm_certificate" "prerequisite" {
  domain_name       = "*.example.com"
  validation_method = "DNS"
}

module "sumu" {
  source      = "../modules/serverless"
  prefix      = local.prefix
  common_tags = local.common_tags

  issuer_jwks_uri         = "https://www.googleapis.com/service_accounts/v1/metadata/x509/securetoken@system.gserviceaccount.com"
  authorized_audiences    = ["sumu-websocket", ]
  verify_token_expiration = true

  s3_artifacts = {
    arn    = aws_s3_bucket.artifacts.arn
    bucket = aws_s3_bucket.artifacts.bucket
  }
  github = {
    owner          = "example"
    webhook_secret = "not-secret"
    connection_arn = "arn:aws:codestar-connections:us-east-1:{ACCOUNT_ID}:connection/{CONNECTION_ID}"
  }
  github_repository = {
    authorizer = {
      name   = "apigw-jwt-authorizer"
      branch = "main"
    }
    pusher = {
      name   = "apigw-websocket-pusher"
      branch = "main"
    }
  }
  ci_notifications_slack_channels = {
    info  = "ci-info"
    alert = "ci-alert"
  }

  stage_name      = "mvp"
  apigw_endpoint  = "https://live.example.com/push"
  presence_source = "queue"
}

module "gato" {
  source      = "../modules/custom-domain"
  prefix      = local.prefix
  common_tags = local.common_tags

  r53_zone_id = aws_route53_zone.prerequisite.zone_id
  cert_arn    = aws_acm_certificate.prerequisite.arn
  domain_name = "example.com"
  sub_domains = {
    stateless = "api"
    statefull = "live"
  }

  http_apis = []

  ws_apis = [
    {
      id    = module.sumu.ws_api_id
      key   = "live"
      stage = module.sumu.ws_api_stage_name
    }
  ]
}

# sumu in an AWS account: the stack, and a domain of your own in front of it if
# there is one.

module "sumu" {
  source      = "./modules/serverless"
  prefix      = var.prefix
  common_tags = var.common_tags

  issuer_jwks_uri      = var.issuer_jwks_uri
  issuer               = var.issuer
  authorized_audiences = var.authorized_audiences
  grants               = var.grants

  stage_name      = "mvp"
  apigw_endpoint  = var.domain_name == null ? null : "https://live.${coalesce(var.domain_name, "-")}/push"
  api_mapping_key = var.domain_name == null ? null : "push"
  presence_source = "topic"
}

module "domain" {
  source      = "./modules/custom-domain"
  count       = var.domain_name == null ? 0 : 1
  prefix      = var.prefix
  common_tags = var.common_tags
  r53_zone_id = var.r53_zone_id
  cert_arn    = var.cert_arn
  domain_name = var.domain_name
  sub_domains = { statefull = "live" }

  # The key is the path of apigw_endpoint: behind a domain the stage is in neither.
  ws_apis = [{
    id             = module.sumu.ws_api_id
    key            = "push"
    stage          = module.sumu.ws_api_stage_name
    apigw_endpoint = "https://live.${var.domain_name}/push"
  }]
}

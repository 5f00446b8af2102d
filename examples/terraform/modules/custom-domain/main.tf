# A domain of your own for WebSocket APIs, and one for HTTP APIs if there are
# any: certificate, mapping, DNS record.

locals {
  kinds = {
    for kind, apis in { statefull = var.ws_apis, stateless = var.http_apis } : kind => {
      host                        = "${var.sub_domains[kind]}.${var.domain_name}"
      apis                        = apis
    } if length(apis) > 0
  }
  mappings = merge([
    for kind, k in local.kinds : { for api in k.apis : "${kind}/${api.key}" => merge(api, { kind = kind }) }
  ]...)
}

resource "aws_apigatewayv2_domain_name" "this" {
  for_each    = local.kinds
  domain_name = each.value.host
  tags        = merge(var.common_tags, { Name = "${var.prefix}-${each.key}" })

  domain_name_configuration {
    certificate_arn = var.cert_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "this" {
  for_each        = local.mappings
  api_id          = each.value.id
  stage           = each.value.stage
  domain_name     = aws_apigatewayv2_domain_name.this[each.value.kind].id
  api_mapping_key = each.value.key == "" ? null : each.value.key
}

resource "aws_route53_record" "this" {
  for_each = local.kinds
  zone_id  = var.r53_zone_id
  name     = each.value.host
  type     = "A"

  alias {
    name                   = aws_apigatewayv2_domain_name.this[each.key].domain_name_configuration[0].target_domain_name
    zone_id                = aws_apigatewayv2_domain_name.this[each.key].domain_name_configuration[0].hosted_zone_id
    evaluate_target_health = false
  }
}

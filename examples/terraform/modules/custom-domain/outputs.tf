output "ws_urls" {
  description = "What clients open, by key."
  value       = { for api in var.ws_apis : api.key => trimsuffix("wss://${local.kinds.statefull.host}/${api.key}", "/") }
}

output "apigw_endpoints" {
  description = "The management endpoints, by key: without the stage."
  value       = { for api in var.ws_apis : api.key => trimsuffix("https://${local.kinds.statefull.host}/${api.key}", "/") }
}

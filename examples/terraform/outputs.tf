output "url" {
  description = "What clients open."
  value       = var.domain_name == null ? module.sumu.ws_url : module.domain[0].ws_urls["push"]
}

output "ws_api_id" {
  value = module.sumu.ws_api_id
}

output "ws_api_stage_name" {
  value = module.sumu.ws_api_stage_name
}

output "notifications" {
  description = "Where backends ask for pushes."
  value       = module.sumu.notifications
}

output "messages" {
  description = "Where clients' messages and presence events come out."
  value       = module.sumu.messages
}

output "connections_table" {
  value = module.sumu.connections_table
}

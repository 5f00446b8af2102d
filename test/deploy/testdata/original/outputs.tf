output "wired" {
  value = [
    module.sumu.ws_api_id,
    module.sumu.ws_api_stage_name,
    module.sumu.notifications.topic.arn,
    module.sumu.notifications.queue.url,
    module.sumu.messages.topic.arn,
    module.sumu.messages.queue.url,
    module.sumu.connections_table.stream_arn,
  ]
}

output "management" {
  value = module.sumu.apigw_endpoint
}

output "lambda" {
  description = "The function, under the name that the original's module has."
  value = {
    name       = module.function.name
    arn        = module.function.arn
    invoke_arn = module.function.invoke_arn
    role_name  = module.function.role_name
  }
}

output "rejected_queue" {
  description = "Requests that were not valid or failed for good."
  value = {
    name = aws_sqs_queue.rejected.name
    arn  = aws_sqs_queue.rejected.arn
    url  = aws_sqs_queue.rejected.url
  }
}

output "queue_url" {
  description = "Where requests are sent."
  value       = local.queue_url
}

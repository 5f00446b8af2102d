variable "prefix" {
  description = "Goes before every name."
  type        = string
}

variable "common_tags" {
  type    = map(string)
  default = {}
}

variable "agma_arn" {
  description = "ARN of the API's management API, which the pusher may post to: that of a stage, with /POST/@connections."
  type        = string
  validation {
    condition     = can(regex("^arn:aws[a-z-]*:execute-api:[^:]+:[^:]+:[^/:*]+/[^/*]+/POST/@connections$", var.agma_arn))
    error_message = "agma_arn is arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/POST/@connections: that of one stage, for posts alone."
  }
}

variable "apigw_endpoint" {
  description = "URL of the API's management endpoint: https://API.execute-api.REGION.amazonaws.com/STAGE, or https://DOMAIN/KEY behind a custom domain, without the stage."
  type        = string
  validation {
    condition     = can(regex("^https://[A-Za-z0-9.-]+(/[^/?#]+)*/?$", var.apigw_endpoint))
    error_message = "apigw_endpoint starts with https:// and holds a host, a path and nothing else: it is the management endpoint, not the wss:// one that clients open."
  }
}

variable "management_hosts" {
  description = "More hosts that rows may name: during a move to another domain, for example. That of apigw_endpoint is always among them."
  type        = list(string)
  default     = []
}

variable "connections_table" {
  type = object({
    name = string
    arn  = string
  })
}

variable "state_table" {
  description = "Keeps what was delivered already. Default: a table that this module creates."
  type = object({
    name = string
    arn  = string
  })
  default = null
}

variable "notifications_topic_arn" {
  description = "null: no topic."
  type        = string
  default     = null
}

variable "notifications_queue_arn" {
  description = "Its visibility timeout must be above timeout_seconds, better six times as long, and it needs a redrive policy with a maxReceiveCount of 5 or more."
  type        = string
}

variable "lambdas_dir" {
  description = "The folder of the zip files that make lambdas builds. Default: examples/serverless/dist of the checkout."
  type        = string
  default     = null
}

variable "memory_mb" {
  type    = number
  default = 512
}

variable "timeout_seconds" {
  description = "What is not pushed by then goes back to the queue."
  type        = number
  default     = 60
}

variable "max_concurrency" {
  description = "How many pushers read the queue at once: 2 to 1000."
  type        = number
  default     = 20
  validation {
    condition     = var.max_concurrency >= 2 && var.max_concurrency <= 1000
    error_message = "max_concurrency is 2 to 1000, as Lambda has it."
  }
}

variable "log_retention_days" {
  type    = number
  default = 14
}

variable "topic_enabled" {
  description = "Whether notifications_topic_arn is given: known at plan, unlike the ARN of a topic that is yet to be created."
  type        = bool
  default     = true
  validation {
    condition     = !var.topic_enabled || var.notifications_topic_arn != null
    error_message = "notifications_topic_arn is null: give one, or set topic_enabled to false."
  }
}

variable "prefix" {
  description = "Goes before every name: 1 to 24 lower-case letters, digits and dashes."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,23}$", var.prefix))
    error_message = "prefix is 1 to 24 lower-case letters, digits and dashes, and starts with a letter."
  }
}

variable "common_tags" {
  type    = map(string)
  default = {}
}

variable "stage_name" {
  description = "The API's stage."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,128}$", var.stage_name))
    error_message = "stage_name is 1 to 128 letters, digits, - and _."
  }
}

variable "apigw_endpoint" {
  description = "The API's management endpoint behind a custom domain: https://DOMAIN/KEY, where KEY is that of its mapping, without the stage. Default: that of the API itself."
  type        = string
  default     = null
  validation {
    condition     = var.apigw_endpoint == null || can(regex("^https://[A-Za-z0-9.-]+(/[^/?#]+)*/?$", var.apigw_endpoint))
    error_message = "apigw_endpoint starts with https:// and holds a host, a path and nothing else: it is the management endpoint, not the wss:// one that clients open."
  }
  validation {
    condition = (
      var.apigw_endpoint == null || var.api_mapping_key == var.stage_name ||
      can(regex("^https://[^/]*\\.execute-api\\.[^/]+/", "${var.apigw_endpoint}/")) ||
      !endswith(trimsuffix(coalesce(var.apigw_endpoint, "-"), "/"), "/${var.stage_name}")
    )
    error_message = "apigw_endpoint ends with the stage. Behind a custom domain the stage does not belong there: the mapping picks it already, and API Gateway answers 403 to every post. Use https://DOMAIN/KEY; if the mapping's key really has the stage's name, say so with api_mapping_key."
  }
  validation {
    condition = (
      var.apigw_endpoint == null || var.api_mapping_key == null ||
      (var.api_mapping_key == "" ? can(regex("^https://[^/]+/?$", coalesce(var.apigw_endpoint, "-"))) :
      endswith(trimsuffix(coalesce(var.apigw_endpoint, "-"), "/"), "/${coalesce(var.api_mapping_key, "-")}"))
    )
    error_message = "apigw_endpoint ends with the key of the API's mapping, api_mapping_key; where that is empty, it has no path."
  }
  validation {
    condition = (
      var.apigw_endpoint == null ||
      !can(regex("^https://[^/]*\\.execute-api\\.", coalesce(var.apigw_endpoint, "-"))) ||
      endswith(trimsuffix(coalesce(var.apigw_endpoint, "-"), "/"), "/${var.stage_name}")
    )
    error_message = "An apigw_endpoint of an execute-api host ends with the stage: https://API.execute-api.REGION.amazonaws.com/STAGE."
  }
}

variable "api_mapping_key" {
  description = "The key of the API's mapping behind a custom domain: apigw_endpoint must end with it, and is compared; \"\" for the root of the domain. Needed when it has the stage's name."
  type        = string
  default     = null
}

# A warning of the plan; it does not fail. The mapping is another module's, and
# posts to a path that is not its key get 403.
check "mapping_key" {
  assert {
    condition = (
      var.apigw_endpoint == null || var.api_mapping_key != null ||
      can(regex("^https://[^/]*\\.execute-api\\.", coalesce(var.apigw_endpoint, "-")))
    )
    error_message = "apigw_endpoint is ${coalesce(var.apigw_endpoint, "-")}, so the domain's mapping must have the key \"${join("/", slice(split("/", trimsuffix(coalesce(var.apigw_endpoint, "https://-"), "/")), 3, length(split("/", trimsuffix(coalesce(var.apigw_endpoint, "https://-"), "/")))))}\", and nothing has compared them. Give that key as api_mapping_key."
  }
}

variable "presence_source" {
  description = "Where presence events come from, for who uses this stack: topic (the messages topic), queue (the messages queue), or none: follow the stream of the connections table yourself."
  type        = string
  default     = "topic"
  validation {
    condition     = contains(["topic", "queue", "none"], var.presence_source)
    error_message = "presence_source is \"topic\", \"queue\" or \"none\"."
  }
}

variable "presence_grace" {
  description = "How long a user may be away before OFFLINE is told: a reconnect within it goes unnoticed."
  type        = string
  default     = "10s"
  validation {
    condition     = can(regex("^[0-9]+(ms|s|m)$", var.presence_grace))
    error_message = "presence_grace is a time such as \"10s\"."
  }
}

variable "connect_integration" {
  description = "direct: API Gateway writes the connections table itself. lambda: the websocket function does, which tokens in the sub-protocol need."
  type        = string
  default     = "lambda"
  validation {
    condition     = contains(["direct", "lambda"], var.connect_integration)
    error_message = "connect_integration is \"direct\" or \"lambda\"."
  }
}

variable "messages_integration" {
  description = "direct: publish and send go from API Gateway to SNS and SQS. lambda: by the websocket function, which repeats a client's ref, checks its grants, and stops at its token's expiry."
  type        = string
  default     = "direct"
  validation {
    condition     = contains(["direct", "lambda"], var.messages_integration)
    error_message = "messages_integration is \"direct\" or \"lambda\"."
  }
}

variable "default_channel" {
  description = "A channel that every connection joins. Default: none."
  type        = string
  default     = ""
  validation {
    condition     = var.default_channel == "" || var.connect_integration == "lambda"
    error_message = "default_channel is joined by the websocket function: set connect_integration to \"lambda\"."
  }
}

variable "max_connections_per_user" {
  description = "One more is refused, or takes the place of the oldest. Default 0: any number."
  type        = number
  default     = 0
  validation {
    condition     = var.max_connections_per_user >= 0 && floor(var.max_connections_per_user) == var.max_connections_per_user
    error_message = "max_connections_per_user is a whole number from 0, which is no limit."
  }
  validation {
    condition     = var.max_connections_per_user == 0 || var.connect_integration == "lambda"
    error_message = "max_connections_per_user is counted by the websocket function: set connect_integration to \"lambda\"."
  }
}

variable "evict_oldest_connection" {
  description = "With max_connections_per_user: one more takes the place of the oldest, which gets nothing any more and is closed when API Gateway closes it."
  type        = bool
  default     = false
}

variable "insecure_open_channels" {
  description = "Every client may use every channel and event, whatever its grants: for demos."
  type        = bool
  default     = false
}

variable "lambdas_dir" {
  description = "The folder of the zip files that make lambdas builds. Default: examples/serverless/dist of the checkout."
  type        = string
  default     = null
  validation {
    condition     = var.lambdas_dir == null || length(fileset(coalesce(var.lambdas_dir, "."), "*.zip")) > 0
    error_message = "lambdas_dir holds no zip files: run \"make lambdas\" in a checkout of sumu."
  }
}

variable "log_retention_days" {
  type    = number
  default = 14
}

variable "access_logs" {
  description = "Logs of who connects and what routes are called: never the query or a body, for they hold tokens. The account needs a role for logs: see apigw_account_role."
  type        = bool
  default     = true
}

variable "apigw_account_role" {
  description = "Gives API Gateway the account's role for logs, once per account and region. Leave it false where there is one."
  type        = bool
  default     = false
}

variable "alarms_topic_arn" {
  description = "Where alarms go. Default: nowhere; they are seen in CloudWatch."
  type        = string
  default     = null
}

variable "throttling_rate_limit" {
  description = "Messages a second of all clients."
  type        = number
  default     = 10000
}

variable "throttling_burst_limit" {
  type    = number
  default = 5000
}

variable "pusher_max_concurrency" {
  description = "How many pushers read the queue at once: 2 to 1000."
  type        = number
  default     = 20
}

variable "name" {
  type = string
}

variable "description" {
  type = string
}

variable "binary" {
  description = "Which function of examples/serverless it is: the name of its zip file."
  type        = string
}

variable "lambdas_dir" {
  type = string
}

variable "environment" {
  type    = map(string)
  default = {}
}

variable "has_policy" {
  type    = bool
  default = false
}

variable "policy" {
  description = "JSON of what the function may call, beside its own logs."
  type        = string
  default     = null
}

variable "memory_mb" {
  type    = number
  default = 256
}

variable "timeout_seconds" {
  type    = number
  default = 10
}

variable "reserved_concurrency" {
  type    = number
  default = -1
}

variable "log_retention_days" {
  type    = number
  default = 14
}

variable "tags" {
  type    = map(string)
  default = {}
}

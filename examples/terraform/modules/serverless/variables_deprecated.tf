# The block of the original stack plans as it is. What these were for is gone:
# the functions are built by make lambdas and deployed by Terraform, without a
# pipeline of their own.

variable "s3_artifacts" {
  description = "Deprecated, ignored: functions are not built in CodeBuild any more."
  type        = any
  default     = null
}

variable "github" {
  description = "Deprecated, ignored: functions are built from this repository by make lambdas. Take a webhook_secret out of your code."
  type        = any
  default     = null
}

variable "github_repository" {
  description = "Deprecated, ignored: functions are built from this repository by make lambdas."
  type        = any
  default     = null
}

variable "github_repositories" {
  description = "Deprecated, ignored: another name of github_repository."
  type        = any
  default     = null
}

variable "pre_release" {
  description = "Deprecated, ignored."
  type        = any
  default     = null
}

variable "ci_notifications_slack_channels" {
  description = "Deprecated, ignored: there is no pipeline that would notify."
  type        = any
  default     = null
}

locals {
  deprecated = [for name, value in {
    s3_artifacts                    = var.s3_artifacts
    github                          = var.github
    github_repository               = var.github_repository
    github_repositories             = var.github_repositories
    pre_release                     = var.pre_release
    ci_notifications_slack_channels = var.ci_notifications_slack_channels
  } : name if value != null]
}

# A warning of the plan; it does not fail.
check "deprecated_inputs" {
  assert {
    condition     = length(local.deprecated) == 0
    error_message = "Deprecated inputs of module sumu are ignored and can be removed: ${join(", ", nonsensitive(local.deprecated))}."
  }
}

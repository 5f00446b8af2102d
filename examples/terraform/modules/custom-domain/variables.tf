variable "prefix" {
  type = string
}

variable "common_tags" {
  type    = map(string)
  default = {}
}

variable "r53_zone_id" {
  description = "The Route 53 zone of domain_name."
  type        = string
}

variable "cert_arn" {
  description = "A certificate of ACM, in the region of the APIs, that covers the sub-domains."
  type        = string
  validation {
    condition     = can(regex("^arn:aws[a-z-]*:acm:", var.cert_arn))
    error_message = "cert_arn is the ARN of a certificate of ACM, in the region of the APIs."
  }
}

variable "domain_name" {
  description = "Such as example.com."
  type        = string
}

variable "sub_domains" {
  description = "statefull is that of the WebSocket APIs, stateless that of HTTP APIs: API Gateway does not let them share a domain."
  type = object({
    stateless = optional(string)
    statefull = string
  })
}

variable "http_apis" {
  type = list(object({
    id    = string
    key   = string
    stage = string
  }))
  default = []
  validation {
    condition     = length(var.http_apis) == 0 || var.sub_domains.stateless != null
    error_message = "http_apis need sub_domains.stateless, a sub-domain of their own."
  }
}

variable "ws_apis" {
  description = "key is the path of the API under the domain, \"\" for its root: its management endpoint is https://SUB.DOMAIN/KEY, without the stage. With apigw_endpoint, that of module serverless, the two are compared."
  type = list(object({
    id             = string
    key            = string
    stage          = string
    apigw_endpoint = optional(string)
  }))
  validation {
    condition = alltrue([
      for a in var.ws_apis : a.apigw_endpoint == null ||
      trimsuffix(coalesce(a.apigw_endpoint, "-"), "/") == trimsuffix("https://${var.sub_domains.statefull}.${var.domain_name}/${a.key}", "/")
    ])
    error_message = "The apigw_endpoint of each of ws_apis is https://SUB.DOMAIN/KEY, with its own key: posts to any other path get 403."
  }
  validation {
    condition     = length(distinct([for a in var.ws_apis : a.key])) == length(var.ws_apis)
    error_message = "Each of ws_apis needs a key of its own."
  }
}

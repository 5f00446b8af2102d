variable "prefix" {
  description = "Goes before every name."
  type        = string
  default     = "demo"
}

variable "common_tags" {
  type    = map(string)
  default = {}
}

variable "issuer_jwks_uri" {
  description = "The URL of the issuer's keys, such as https://www.googleapis.com/service_accounts/v1/metadata/x509/securetoken@system.gserviceaccount.com for Firebase."
  type        = string
}

variable "issuer" {
  description = "The iss of tokens. Not needed for Firebase, Cognito and Auth0."
  type        = string
  default     = ""
}

variable "authorized_audiences" {
  description = "The aud that a token may have: one of these. For Firebase the project's id."
  type        = list(string)
}

variable "grants" {
  description = "What tokens allow, such as \"join,post:room.{claims.org}.* subscribe:order.*\". Default: no channels and no events."
  type        = string
  default     = ""
}

variable "domain_name" {
  description = "Such as example.com: clients then open wss://live.example.com/push. Default: the API's own address."
  type        = string
  default     = null
}

variable "r53_zone_id" {
  description = "The zone of domain_name."
  type        = string
  default     = null
}

variable "cert_arn" {
  description = "A certificate of ACM in this region that covers live.DOMAIN."
  type        = string
  default     = null
}

variable "issuer_jwks_uri" {
  description = "The URL of the issuer's keys: a JWKS, or a map of x509 certificates as Firebase has it."
  type        = string
  validation {
    condition     = can(regex("^https://", var.issuer_jwks_uri))
    error_message = "issuer_jwks_uri starts with https://."
  }
}

variable "issuer" {
  description = "The iss of tokens. Default: told by issuer_jwks_uri, for Cognito, Auth0, and Firebase with one audience."
  type        = string
  default     = ""
  validation {
    condition = (
      var.issuer != "" || var.insecure_any_issuer ||
      can(regex("^https://cognito-idp\\.[a-z0-9-]+\\.amazonaws\\.com(\\.cn)?/[^/]+/\\.well-known/jwks\\.json$", var.issuer_jwks_uri)) ||
      can(regex("^https://[^/]+\\.auth0\\.com/\\.well-known/jwks\\.json$", var.issuer_jwks_uri)) ||
      (length(var.authorized_audiences) == 1 && can(regex("^https://www\\.googleapis\\.com/(robot|service_accounts)/v1/", var.issuer_jwks_uri)))
    )
    error_message = "issuer is not set, and issuer_jwks_uri does not tell it: give the iss of your tokens, such as https://issuer.example.com/."
  }
}

variable "insecure_any_issuer" {
  description = "Lets in tokens whatever their iss."
  type        = bool
  default     = false
}

variable "authorized_audiences" {
  description = "The aud that a token may have: one of these."
  type        = list(string)
  default     = []
  validation {
    condition     = var.insecure_any_audience || length([for a in var.authorized_audiences : a if trimspace(a) != ""]) > 0
    error_message = "authorized_audiences is empty: tokens that the issuer made for any other application would be let in. Name the audiences, or set insecure_any_audience to true if that is what you want."
  }
  validation {
    condition     = alltrue([for a in var.authorized_audiences : !strcontains(a, ",")])
    error_message = "An audience of authorized_audiences holds no comma: give a list."
  }
}

variable "audience_claims" {
  description = "The claims that name the audience; one of them is enough. Default: aud, and of Cognito client_id too."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for c in var.audience_claims : trimspace(c) != "" && !strcontains(c, ",")])
    error_message = "A claim of audience_claims is not empty and holds no comma: give a list."
  }
}

variable "insecure_any_audience" {
  description = "Lets in tokens that the issuer made for any application."
  type        = bool
  default     = false
}

variable "verify_token_expiration" {
  description = "false lets in tokens without exp. One that has expired is never let in."
  type        = bool
  default     = true
}

variable "user_id_claim" {
  type    = string
  default = "sub"
}

variable "grants" {
  description = "What tokens allow, such as \"join,post:room.{claims.org}.* backend:publish\"."
  type        = string
  default     = ""
  validation {
    condition     = var.grants == "" || can(regex("^(join|post|subscribe|backend)(,(join|post|subscribe|backend))*:[^ ]*( (join|post|subscribe|backend)(,(join|post|subscribe|backend))*:[^ ]*)*$", var.grants))
    error_message = "grants is a list such as \"join,post:room.* subscribe:order.*\", with one space between."
  }
  validation {
    condition     = var.messages_integration == "lambda" || !can(regex("(^| |,)backend(,[a-z,]*)?:", var.grants))
    error_message = "grants names the verb backend, which a direct integration of publish and send cannot check: set messages_integration to \"lambda\"."
  }
}

variable "claims" {
  description = "Claims of the token that travel with the connection."
  type        = list(string)
  default     = []
}

variable "origins" {
  description = "Pages that may connect, such as https://app.example.com or https://*.example.com. Default: all."
  type        = list(string)
  default     = []
}

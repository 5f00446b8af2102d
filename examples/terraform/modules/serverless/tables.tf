resource "aws_dynamodb_table" "connections" {
  name         = "${var.prefix}-connections"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "user_id"
  range_key    = "connection_id"
  tags         = local.tags

  # Keys are all that presence needs.
  stream_enabled   = true
  stream_view_type = "KEYS_ONLY"

  attribute {
    name = "user_id"
    type = "S"
  }

  attribute {
    name = "connection_id"
    type = "S"
  }

  # A Number: DynamoDB takes no notice of a String.
  ttl {
    attribute_name = "delete_at"
    enabled        = true
  }
}

# Channels, subscriptions, presence and what was delivered already.
resource "aws_dynamodb_table" "state" {
  name         = "${var.prefix}-state"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "pk"
  range_key    = "sk"
  tags         = local.tags

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  ttl {
    attribute_name = "delete_at"
    enabled        = true
  }
}

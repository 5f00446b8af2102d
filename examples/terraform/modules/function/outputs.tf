# The outputs depend on the role's policies: what starts to feed the function
# must not be made before it may read.
output "arn" {
  value      = aws_lambda_function.this.arn
  depends_on = [aws_iam_role_policy.calls]
}

output "name" {
  value      = aws_lambda_function.this.function_name
  depends_on = [aws_iam_role_policy.calls]
}

output "invoke_arn" {
  value = aws_lambda_function.this.invoke_arn
}

output "role_name" {
  value = aws_iam_role.this.name
}

// Minimal is a Lambda function that does nothing: what is above it in the case
// "coldstart" is ours.
package main

import "github.com/aws/aws-lambda-go/lambda"

func main() {
	lambda.Start(func() (map[string]int, error) { return map[string]int{"statusCode": 200}, nil })
}

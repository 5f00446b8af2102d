package iot_test

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// nobody are the credentials of tests.
func nobody(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, nil
}

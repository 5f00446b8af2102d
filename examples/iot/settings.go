package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/sumu-live/sumu/connstore/dynamostore"
)

// settings reads the environment, and collects what is wrong with it. No error
// repeats a value: it may be a secret.
type settings struct {
	lookup func(name string) (value string, ok bool)
	errs   []error
}

func (s *settings) err() error { return errors.Join(s.errs...) }

func (s *settings) bad(name, format string, args ...any) {
	s.errs = append(s.errs, fmt.Errorf("%s %s", name, fmt.Sprintf(format, args...)))
}

func (s *settings) get(name, fallback string) string {
	v, _ := s.lookup(name)
	if v = strings.TrimSpace(v); v == "" {
		return fallback
	}
	return v
}

func (s *settings) required(name string) string {
	v := s.get(name, "")
	if v == "" {
		s.bad(name, "is not set")
	}
	return v
}

func (s *settings) list(name string) []string {
	var list []string
	for part := range strings.SplitSeq(s.get(name, ""), ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// region and credentials are those of the function's role, as Lambda gives them.
func (s *settings) region() string { return s.required("AWS_REGION") }

func (s *settings) credentials() aws.CredentialsProvider {
	creds := aws.Credentials{
		AccessKeyID:     s.required("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: s.required("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    s.get("AWS_SESSION_TOKEN", ""),
		Source:          "environment",
	}
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return creds, nil })
}

// endpoint is that of another place than AWS, for tests: the variables are the
// SDK's own.
func (s *settings) endpoint(service string) *string {
	if u := s.get("AWS_ENDPOINT_URL_"+service, s.get("AWS_ENDPOINT_URL", "")); u != "" {
		return &u
	}
	return nil
}

func (s *settings) store() (*dynamostore.StateStore, error) {
	client := dynamodb.New(dynamodb.Options{
		Region: s.region(), Credentials: s.credentials(), BaseEndpoint: s.endpoint("DYNAMODB"),
	})
	if err := s.err(); err != nil {
		return nil, err
	}
	return dynamostore.NewWithState(client, func(o *dynamostore.Options) {
		o.Connections = s.get("SUMU_CONNECTIONS_TABLE", "connections")
		o.State = s.get("SUMU_STATE_TABLE", "state")
	})
}

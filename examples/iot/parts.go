package main

import (
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/sumu-live/sumu"
	"github.com/sumu-live/sumu/authorizer"
	"github.com/sumu-live/sumu/awslambda"
	"github.com/sumu-live/sumu/iot"
	"github.com/sumu-live/sumu/notify/snsnotify"
	"github.com/sumu-live/sumu/notify/sqsnotify"
	"github.com/sumu-live/sumu/pusher"
)

func newVendor(s *settings, log *slog.Logger) (awslambda.Handler, error) {
	auth, err := newAuthorizer(s, log)
	if err != nil {
		return nil, err
	}
	client := sts.New(sts.Options{Region: s.region(), Credentials: s.credentials(), BaseEndpoint: s.endpoint("STS")})
	role, endpoint := s.required("SUMU_CLIENT_ROLE_ARN"), s.required("SUMU_IOT_ENDPOINT")
	session, err := time.ParseDuration(s.get("SUMU_SESSION", "1h"))
	if err != nil {
		s.bad("SUMU_SESSION", `is not a time such as "1h"`)
	}
	backend, err := strconv.ParseBool(s.get("SUMU_BACKEND", "false"))
	if err != nil {
		s.bad("SUMU_BACKEND", "is neither true nor false")
	}
	if err := s.err(); err != nil {
		return nil, err
	}
	vendor, err := iot.NewVendor(auth, client, role, endpoint, func(o *iot.VendorOptions) {
		o.Region, o.Duration, o.Backend, o.Logger = s.get("AWS_REGION", ""), session, backend, log
		o.Origins = s.list("SUMU_ORIGINS")
	})
	if err != nil {
		return nil, err
	}
	return awslambda.NewHTTP(vendor, func(o *awslambda.HTTPOptions) { o.Logger = log })
}

func newAuthorizer(s *settings, log *slog.Logger) (sumu.Authorizer, error) {
	url, audiences := s.required("JWT_ISSUER_JWKS_URI"), s.list("JWT_AUTHORIZED_AUDIENCES")
	if len(audiences) == 0 {
		s.bad("JWT_AUTHORIZED_AUDIENCES", "is not set")
	}
	// What the provider's tokens need, where the URL tells whose they are.
	opts, told := authorizer.OptionsOf(url, audiences...)
	if issuer := s.get("JWT_ISSUER", ""); issuer != "" {
		opts.Issuer = issuer
	} else if !told {
		s.bad("JWT_ISSUER", "is not set, and the URL of the keys does not tell it")
	}
	if claims := s.list("JWT_AUDIENCE_CLAIMS"); claims != nil {
		opts.AudienceClaims = claims
	}
	var grants sumu.Grants
	if err := grants.UnmarshalText([]byte(s.get("JWT_GRANTS", ""))); err != nil {
		s.bad("JWT_GRANTS", "is not a list of grants: %v", err)
	}
	if err := s.err(); err != nil {
		return nil, err
	}
	keys, err := authorizer.JWKS(url, func(o *authorizer.JWKSOptions) { o.Logger = log })
	if err != nil {
		return nil, err
	}
	return authorizer.New(keys, func(o *authorizer.Options) {
		*o = opts
		o.Grants = grants
	})
}

func newLifecycle(s *settings, log *slog.Logger) (awslambda.Handler, error) {
	store, err := s.store()
	if err != nil {
		return nil, err
	}
	seen, err := iot.NewLifecycle(store, store, func(o *iot.LifecycleOptions) {
		o.RoleID, o.Logger = s.get("SUMU_CLIENT_ROLE_ID", ""), log
	})
	if err != nil {
		return nil, err
	}
	return awslambda.NewLifecycle(seen.Handle, func(o *awslambda.LifecycleOptions) { o.Logger = log })
}

func newPusher(s *settings, log *slog.Logger) (awslambda.Handler, error) {
	queueURL, host := s.required("SUMU_REQUESTS_QUEUE_URL"), s.required("SUMU_IOT_ENDPOINT")
	store, err := s.store()
	if err != nil {
		return nil, err
	}
	endpoint := "https://" + host
	if other := s.endpoint("IOT_DATA_PLANE"); other != nil {
		endpoint = *other
	}
	sender, err := iot.NewSender(iotdataplane.New(iotdataplane.Options{
		Region: s.region(), Credentials: s.credentials(), BaseEndpoint: &endpoint,
	}))
	if err != nil {
		return nil, err
	}
	push, err := pusher.New(store, sender)
	if err != nil {
		return nil, err
	}
	queue, err := sqsnotify.New(sqs.New(sqs.Options{
		Region: s.region(), Credentials: s.credentials(), BaseEndpoint: s.endpoint("SQS"),
	}), queueURL)
	if err != nil {
		return nil, err
	}
	worker, err := pusher.NewWorker(push, queue, func(o *pusher.WorkerOptions) { o.Records = store })
	if err != nil {
		return nil, err
	}
	return awslambda.NewPusher(worker, func(o *awslambda.PusherOptions) { o.Logger = log })
}

func newBackend(s *settings, log *slog.Logger) (awslambda.Handler, error) {
	region, creds := s.region(), s.credentials()
	if err := s.err(); err != nil {
		return nil, err
	}
	backends := make(map[string]sumu.Backend)
	if arn := s.get("SUMU_OUTPUT_TOPIC_ARN", ""); arn != "" {
		publish, err := snsnotify.Backend(sns.New(sns.Options{Region: region, Credentials: creds, BaseEndpoint: s.endpoint("SNS")}), arn)
		if err != nil {
			return nil, err
		}
		backends[iot.ActionPublish] = publish
	}
	if url := s.get("SUMU_OUTPUT_QUEUE_URL", ""); url != "" {
		send, err := sqsnotify.Backend(sqs.New(sqs.Options{Region: region, Credentials: creds, BaseEndpoint: s.endpoint("SQS")}), url)
		if err != nil {
			return nil, err
		}
		backends[iot.ActionSend] = send
	}
	inbox, err := iot.NewInbox(backends, func(o *iot.InboxOptions) { o.Logger = log })
	if err != nil {
		return nil, err
	}
	return awslambda.NewLifecycle(inbox.Handle, func(o *awslambda.LifecycleOptions) { o.Logger = log })
}

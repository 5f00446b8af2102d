package iot

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	roleARN = "arn:aws:iam::123456789012:role/sumu-client"
	roleID  = "AROAEXAMPLEID1234567"
	region  = "eu-west-1"
)

// tokenService stands for STS: it makes sessions and remembers their policies.
type tokenService struct {
	server   *httptest.Server
	mu       sync.Mutex
	sessions map[string]*session // by access key
}

// session is one that a role was assumed for.
type session struct {
	accessKey, secret, token, name string
	policy                         struct {
		Statement []struct {
			Effect, Action string
			Resource       []string
		}
	}
}

func startSTS(t *testing.T) *tokenService {
	t.Helper()
	s := &tokenService{sessions: make(map[string]*session)}
	s.server = httptest.NewServer(http.HandlerFunc(s.assumeRole))
	t.Cleanup(s.server.Close)
	return s
}

func (s *tokenService) assumeRole(w http.ResponseWriter, r *http.Request) {
	made := &session{accessKey: "ASIA" + rand.Text()[:16], secret: rand.Text(), token: rand.Text() + "/+=", name: r.FormValue("RoleSessionName")}
	seconds, err := strconv.Atoi(r.FormValue("DurationSeconds"))
	policy := r.FormValue("Policy")
	if err == nil && seconds > 3600 {
		err = errors.New("the requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	}
	if err == nil && (r.FormValue("RoleArn") != roleARN || len(policy) > 2048) {
		err = errors.New("no such role, or policy")
	}
	if err == nil {
		err = json.Unmarshal([]byte(policy), &made.policy)
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>%s</Message></Error></ErrorResponse>`, err)
		return
	}
	s.mu.Lock()
	s.sessions[made.accessKey] = made
	s.mu.Unlock()
	fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
		<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration>
		</Credentials></AssumeRoleResult></AssumeRoleResponse>`,
		made.accessKey, made.secret, made.token, time.Now().Add(time.Duration(seconds)*time.Second).UTC().Format(time.RFC3339))
}

func (s *tokenService) session(accessKey string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[accessKey]
}

// verify checks a presigned URL as AWS IoT Core does: all but the session token
// is signed, which comes last.
func (s *tokenService) verify(r *http.Request) (*session, error) {
	signed, token, _ := strings.Cut(r.URL.RawQuery, "&X-Amz-Security-Token=")
	canonical, signature, ok := strings.Cut(signed, "&X-Amz-Signature=")
	q := r.URL.Query()
	credential := strings.Split(q.Get("X-Amz-Credential"), "/")
	if !ok || len(credential) != 5 || !slices.Equal(credential[2:], []string{region, "iotdevicegateway", "aws4_request"}) {
		return nil, errors.New("not a presigned URL for this")
	}
	made := s.session(credential[0])
	if made == nil || url.QueryEscape(made.token) != token {
		return nil, errors.New("no such session")
	}
	at, err := time.Parse("20060102T150405Z", q.Get("X-Amz-Date"))
	seconds, bad := strconv.Atoi(q.Get("X-Amz-Expires"))
	if err != nil || bad != nil || time.Since(at) > time.Duration(seconds)*time.Second {
		return nil, errors.New("the URL has expired")
	}
	hash := func(text string) string { h := sha256.Sum256([]byte(text)); return hex.EncodeToString(h[:]) }
	key := []byte("AWS4" + made.secret)
	scope := strings.Join(credential[1:], "/")
	request := strings.Join([]string{"GET", "/mqtt", canonical, "host:" + r.Host, "", "host", hash("")}, "\n")
	for _, part := range append(credential[1:], "AWS4-HMAC-SHA256\n"+q.Get("X-Amz-Date")+"\n"+scope+"\n"+hash(request)) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(key)), []byte(signature)) != 1 {
		return nil, errors.New("the signature does not match")
	}
	return made, nil
}

// allows evaluates the session's policy as IAM does: "*" and "?" are wild in it.
func (s *session) allows(action, resource string) bool {
	arn := "arn:aws:iot:" + region + ":123456789012:" + resource
	for _, statement := range s.policy.Statement {
		for _, pattern := range statement.Resource {
			form := regexp.QuoteMeta(pattern)
			form = strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(form)
			if statement.Effect == "Allow" && statement.Action == action && regexp.MustCompile("(?s)^"+form+"$").MatchString(arn) {
				return true
			}
		}
	}
	return false
}

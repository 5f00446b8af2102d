package apigw

import (
	"regexp"
	"testing"
)

func TestIsRegion(t *testing.T) {
	form := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	for s, want := range map[string]bool{
		"us-east-1": true, "ap-southeast-4": true, "us-gov-west-1": true, "eusc-de-east-1": true, "local": true, "1": true,
		"": false, "-": false, "us-": false, "-us": false, "us--east": false, "US-east-1": false, "us_east_1": false,
		"us-east-1\n": false, "us east": false, "a/b": false, "us.east": false, "ü": false, "a\x00b": false, "a_b": false,
	} {
		if got := isRegion(s); got != want || form.MatchString(s) != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}

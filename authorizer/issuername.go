package authorizer

import (
	"errors"
	"fmt"
	"strings"
)

// difference says in what two names of an issuer differ that are one for a
// reader; "": in more than that. An iss is compared byte for byte all the same.
func difference(a, b string) string {
	switch {
	case withoutSlash(a) == withoutSlash(b):
		return "in the slash at the end"
	case withoutScheme(a) == withoutScheme(b):
		return "in the scheme"
	case strings.EqualFold(a, b):
		return "in upper and lower case"
	}
	return ""
}

func withoutSlash(name string) string { return strings.TrimSuffix(name, "/") }

func withoutScheme(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, "https://"), "http://")
}

// otherIssuer is why a configuration is not the issuer's that it was asked for.
func otherIssuer(got, want string) error {
	const most = 200 // bytes of a name that is not ours
	shown := got
	if len(got) > most {
		shown = strings.ToValidUTF8(got[:most], "") + "…"
	}
	text := fmt.Sprintf("configuration is of the issuer %q, not %q", shown, want)
	if in := difference(got, want); in != "" {
		text += ": they differ " + in + "; the iss of the tokens is the one to give"
	}
	return errors.New(text)
}

// refusedIssuer is ErrIssuer, with what may be a slip of the configuration. The
// iss itself is the token's.
func refusedIssuer(iss string, want []string) error {
	for _, w := range want {
		if in := difference(iss, w); in != "" {
			return fmt.Errorf("%w: iss differs from one that is expected %s", ErrIssuer, in)
		}
	}
	return ErrIssuer
}

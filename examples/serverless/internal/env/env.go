// Package env reads the settings of the functions from their environment, and
// says by name what is wrong with it: all of it at once.
package env

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Env reads variables and collects what is wrong with them.
type Env struct {
	lookup func(name string) (value string, ok bool)
	errs   []error
}

// New returns an Env that reads by lookup, such as [os.LookupEnv].
func New(lookup func(name string) (value string, ok bool)) *Env { return &Env{lookup: lookup} }

// Err returns everything that was wrong so far, joined. No error repeats a
// value: it may be a secret.
func (e *Env) Err() error { return errors.Join(e.errs...) }

// Bad notes that a variable is wrong.
func (e *Env) Bad(name, format string, args ...any) {
	e.errs = append(e.errs, fmt.Errorf("%s %s", name, fmt.Sprintf(format, args...)))
}

// String returns a variable without the spaces around it, or fallback when it
// is not set or empty.
func (e *Env) String(name, fallback string) string {
	v, _ := e.lookup(name)
	if v = strings.TrimSpace(v); v == "" {
		return fallback
	}
	return v
}

// Required is String for a variable that must be set.
func (e *Env) Required(name string) string {
	v := e.String(name, "")
	if v == "" {
		e.Bad(name, "is not set")
	}
	return v
}

// List returns the parts of a list with commas, without spaces and empty parts:
// nil for a variable that is not set or has none.
func (e *Env) List(name string) []string {
	var list []string
	for part := range strings.SplitSeq(e.String(name, ""), ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// Bool reads true or false, in any case, 1 or 0.
func (e *Env) Bool(name string, fallback bool) bool {
	v := e.String(name, "")
	if v == "" {
		return fallback
	}
	b, err := strconv.ParseBool(strings.ToLower(v))
	if err != nil {
		e.Bad(name, "is neither true nor false")
		return fallback
	}
	return b
}

// Count reads a whole number that is not negative.
func (e *Env) Count(name string, fallback int) int {
	v := e.String(name, "")
	if v == "" {
		return fallback
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		e.Bad(name, "is not a whole number from 0")
		return fallback
	}
	return n
}

// Duration reads a time such as "30s" that is not negative.
func (e *Env) Duration(name string, fallback time.Duration) time.Duration {
	v := e.String(name, "")
	if v == "" {
		return fallback
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 {
		e.Bad(name, `is not a time such as "30s"`)
		return fallback
	}
	return d
}

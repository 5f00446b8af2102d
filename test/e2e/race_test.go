//go:build race

package e2e

// A data race in the program makes it end with an error, which stop reports.
func init() { buildFlags = append(buildFlags, "-race") }

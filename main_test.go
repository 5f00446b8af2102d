package sumu_test

import (
	"os"
	"testing"

	"github.com/sumu-live/sumu/internal/testlog"
)

func TestMain(m *testing.M) {
	testlog.Quiet()
	os.Exit(m.Run())
}

package components

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sumu-live/sumu/internal/leak"
)

func TestComponentThatCannotStart(t *testing.T) {
	leak.Check(t)
	for name, tt := range map[string]struct {
		script string
		want   string
		ended  bool
	}{
		"it ends by itself":  {"echo no such licence; exit 3", "no such licence", true},
		"it never answers":   {"echo starting; exec sleep 60", "does not answer within", false},
		"its log is in full": {"echo starting; exec sleep 60", "starting", false},
	} {
		t.Run(name, func(t *testing.T) {
			c := component{
				name:     name,
				patience: 300 * time.Millisecond,
				command:  func(string, int) ([]string, error) { return []string{"sh", "-c", tt.script}, nil },
			}
			if tt.ended {
				c.patience = 30 * time.Second
			}
			_, err := c.run()
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, errEnded) != tt.ended {
				t.Errorf("error is %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestComponentThatIsNotInstalled(t *testing.T) {
	_, err := nodeProgram(t.TempDir(), "missing.js")
	if err == nil || !strings.Contains(err.Error(), "make components") {
		t.Errorf("error is %v, want it to say how to install it", err)
	}
	if _, err := one(t.TempDir() + "/*.jar"); err == nil || !strings.Contains(err.Error(), "make components") {
		t.Errorf("error is %v, want it to say how to install it", err)
	}
}

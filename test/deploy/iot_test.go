package deploy

import (
	"strings"
	"testing"
)

// The template of the IoT variant against AWS's own specification.
func TestIoTSpecification(t *testing.T) {
	doc := template(t, "../../examples/iot/template.yaml")
	delete(doc, "Outputs") // They name a function URL, which SAM makes and the specification cannot know.
	if text := specFaults(t, doc); !strings.HasSuffix(text, " 0 faults") {
		t.Error(text)
	}
}

package components

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// ServerlessOffline serves an API with an authorizer, whose routes are all one
// function. It has no runtime for programs: test/tooling/forwarder.cjs hands
// events to them, and they run on from one event to the next.
//
// It asks the authorizer whether or not the identity source is there, limits
// neither frames nor messages, handles the messages of a connection in any
// order, and tells neither the code nor the words of a close. Its management
// API takes unsigned requests; it answers 410 without a type, and 410 as well
// to an id that cannot be.
func ServerlessOffline(t testing.TB, authorizer, websocket Function) API {
	t.Helper()
	e := emulator{
		name: "serverless-offline", module: "serverless/bin/serverless.js", args: []string{"offline"},
		api: func(ports [2]int) API {
			return API{
				URL:        fmt.Sprintf("ws://127.0.0.1:%d", ports[0]),
				Management: fmt.Sprintf("http://127.0.0.1:%d", ports[0]),
			}
		},
		env: func([2]int) []string {
			return []string{
				"SLS_TELEMETRY_DISABLED=1", "SLS_NOTIFICATIONS_MODE=off", "SLS_INTERACTIVE_SETUP_ENABLE=0", "CI=1",
				"AWS_ACCESS_KEY_ID=AKIDOFFLINE", "AWS_SECRET_ACCESS_KEY=offline",
			}
		},
	}
	e.prepare = func(dir string, a API, ports [2]int) error {
		tooling, err := toolingDir()
		if err != nil {
			return err
		}
		env := map[string]string{}
		for name, f := range map[string]Function{"authorizer": authorizer, "websocket": websocket} {
			vars, err := json.Marshal(f.Env(a))
			if err != nil {
				return err
			}
			env["FORWARDER_"+name], env["FORWARDER_"+name+"_ENV"] = f.Bootstrap, string(vars)
		}
		type m = map[string]any
		on := func(route string, more m) m {
			event := m{"route": route}
			for k, v := range more {
				event[k] = v
			}
			return m{"websocket": event}
		}
		service, err := json.Marshal(m{
			"service": "sumu", "frameworkVersion": "3", "configValidationMode": "error",
			"provider": m{
				"name": "aws", "runtime": "nodejs20.x", "region": "us-east-1", "environment": env,
				"websocketsApiRouteSelectionExpression": "$request.body.action",
			},
			"plugins": []string{"serverless-offline"},
			"custom": m{"serverless-offline": m{
				"host": "127.0.0.1", "websocketPort": ports[0], "lambdaPort": ports[1], "useInProcess": true,
			}},
			"functions": m{
				"authorizer": m{"handler": "forwarder.authorizer", "timeout": 29},
				"websocket": m{"handler": "forwarder.websocket", "timeout": 29, "events": []m{
					on("$connect", m{"authorizer": m{"name": "authorizer"}}),
					on("$disconnect", nil),
					on("$default", m{"routeResponseSelectionExpression": "$default"}),
				}},
			},
		})
		if err != nil {
			return err
		}
		if err := os.Symlink(filepath.Join(tooling, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
			return err
		}
		return write(dir, map[string]string{
			"serverless.json": string(service),
			"package.json":    `{"private":true}`,
			"forwarder.js":    fmt.Sprintf("module.exports = require(%q)\n", filepath.Join(tooling, "forwarder.cjs")),
		})
	}
	return e.start(t)
}

package components

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// ArchitectSandbox serves an API whose routes are all one function. The
// sandbox starts the function anew for every event, and ends it with the
// answer, through Lambda's runtime API.
//
// It has no authorizer and no route responses, limits neither frames nor
// messages, handles the messages of a connection in any order, and tells
// neither the code nor the words of a close. Its management API takes unsigned
// requests; it answers 410 with the type GoneException.
func ArchitectSandbox(t testing.TB, websocket Function) API {
	t.Helper()
	return architect(websocket).start(t)
}

// OpenArchitectSandbox is [ArchitectSandbox] for a program that is no test: in
// an empty folder, until it is closed.
func OpenArchitectSandbox(dir string, websocket Function) (API, *Running, error) {
	return architect(websocket).open(dir)
}

func architect(websocket Function) *emulator {
	return &emulator{
		name: "the Architect sandbox", module: "@architect/sandbox/src/cli/cli.js",
		api: func(ports [2]int) API {
			return API{
				URL:        fmt.Sprintf("ws://127.0.0.1:%d", ports[0]),
				Management: fmt.Sprintf("http://127.0.0.1:%d/_arc/ws", ports[1]),
			}
		},
		env: func(ports [2]int) []string {
			return []string{
				"ARC_HOST=127.0.0.1", fmt.Sprint("PORT=", ports[0]), fmt.Sprint("ARC_INTERNAL_PORT=", ports[1]),
				"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=AKIDSANDBOX", "AWS_SECRET_ACCESS_KEY=sandbox", "CI=1",
			}
		},
		prepare: func(dir string, a API, _ [2]int) error {
			vars, err := variables(websocket.Env(a))
			if err != nil {
				return err
			}
			err = write(dir, map[string]string{
				"app.arc": "@app\nsumu\n\n@aws\nruntime " + runtimeName + "\ntimeout 29\n\n@plugins\nruntime\n\n@ws\n",
				// A runtime whose name holds "go" gets the address without a scheme, as Lambda gives it.
				"src/plugins/runtime.js": `module.exports = { set: { runtimes: () => ({
  name: '` + runtimeName + `', type: 'compiled', build: '.build', baseRuntime: 'provided.al2023',
}) } }
`,
				".env":            vars,
				"preferences.arc": "@create\nautocreate false\n",
				"package.json":    `{"private":true}`,
			})
			for _, route := range []string{"connect", "default", "disconnect"} {
				folder := filepath.Join(dir, ".build/ws", route)
				if err == nil {
					err = os.MkdirAll(folder, 0o755)
				}
				if err == nil {
					err = os.MkdirAll(filepath.Join(dir, "src/ws", route), 0o755)
				}
				if err == nil {
					err = os.Symlink(websocket.Bootstrap, filepath.Join(folder, "bootstrap"))
				}
			}
			return err
		},
	}
}

const runtimeName = "go-al2023"

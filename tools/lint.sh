#!/bin/sh
# gofumpt, go vet, staticcheck and go mod tidy over every module of the
# repository. With "fmt" it formats instead.
set -eu

gofiles() { find . -name '*.go' -not -path '*/node_modules/*' -not -path './.cache/*'; }

# -n builds the tool and prints where it is: once for all modules, and without
# the dependencies of the tools in go.mod.
gofumpt=$(go tool -modfile=tools/go.mod -n gofumpt)
if [ "${1:-}" = fmt ]; then
	gofiles | xargs "$gofumpt" -l -w
	exit 0
fi
staticcheck=$(go tool -modfile=tools/go.mod -n staticcheck)

status=0
unformatted=$(gofiles | xargs "$gofumpt" -l)
if [ -n "$unformatted" ]; then
	printf 'not formatted; run make fmt:\n%s\n' "$unformatted" >&2
	status=1
fi
for script in .ci/run tools/*.sh test/interop/*.sh; do
	sh -n "$script" || status=1
done
for mod in $(find . -name go.mod -not -path '*/node_modules/*' -not -path './tools/*' -not -path './.cache/*'); do
	dir=$(dirname "$mod")
	(cd "$dir" && go vet ./...) || status=1
	(cd "$dir" && "$staticcheck" ./...) || status=1
	if ! diff=$(cd "$dir" && go mod tidy -diff 2>&1); then
		printf '%s is not tidy:\n%s\n' "$mod" "$diff" >&2
		status=1
	fi
done
for os in darwin windows; do # What has files of its own for them.
	GOOS=$os go vet ./gateway || status=1
done
[ "$status" = 0 ] && echo "lint: clean"
exit "$status"

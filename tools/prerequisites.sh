#!/bin/sh
# Checks what make test cannot install by itself, and says how to get it.
set -eu

missing=0
lacks() {
	missing=1
	printf 'missing: %s\n    %s\n' "$1" "$2" >&2
}

want_go=$(awk '$1 == "go" { print $2; exit }' go.mod)
if ! command -v go >/dev/null 2>&1; then
	lacks "Go $want_go or newer" "install it from go.dev/dl"
elif ! have=$(go env GOVERSION 2>&1); then
	lacks "Go $want_go or newer" "go says: $have"
else
	have=${have#go}
	# sort -V: the older of the two comes first.
	if [ "$(printf '%s\n%s\n' "$want_go" "$have" | sort -V | head -n 1)" != "$want_go" ]; then
		lacks "Go $want_go or newer" "this is go$have; install a newer one from go.dev/dl"
	fi
	cc=$(go env CC)
	if [ "$(go env CGO_ENABLED)" != 1 ] || ! command -v "${cc%% *}" >/dev/null 2>&1; then
		lacks "a C compiler, which the race detector needs" "Debian: apt-get install gcc libc6-dev; and leave CGO_ENABLED unset"
	fi
fi

want_node=20
if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then
	lacks "Node $want_node or newer, with npm" "install it from nodejs.org, or Debian 13: apt-get install nodejs npm"
else
	have=$(node --version)
	major=${have#v}
	major=${major%%.*}
	if [ "$major" -lt "$want_node" ]; then
		lacks "Node $want_node or newer" "this is Node $have; install a newer one from nodejs.org"
	fi
fi

# DynamoDB Local is a Java program.
want_java=17
java_hint="Debian: apt-get install --no-install-recommends default-jre-headless; elsewhere: adoptium.net"
if ! have=$(java -version 2>&1); then
	lacks "Java $want_java or newer" "$java_hint"
else
	# The version is quoted: "17.0.15", "21", and "1.8.0_402" of old.
	major=$(printf '%s\n' "$have" | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
	if [ "${major:-0}" -lt "$want_java" ]; then
		lacks "Java $want_java or newer" "java -version says: $(printf '%s\n' "$have" | head -n 1). $java_hint"
	fi
fi
exit $missing

#!/bin/sh
# Runs every Fuzz target of the module for FUZZTIME each (default 20s).
# With arguments, only those of the packages given.
set -eu

[ $# -gt 0 ] || set -- ./...
# go test -list prints the names of a package's targets, then its "ok" line.
targets=$(go test -list '^Fuzz' "$@") || { printf '%s\n' "$targets" >&2; exit 1; }
targets=$(printf '%s\n' "$targets" | awk '
	/^Fuzz/     { names[++n] = $1 }
	$1 == "ok"  { for (i = 1; i <= n; i++) print $2, names[i]; n = 0 }')
[ -n "$targets" ] || { echo "no Fuzz targets in $*" >&2; exit 1; }

printf '%s\n' "$targets" | while read -r package name; do
	echo "== $package $name"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-20s}" "$package" </dev/null
done

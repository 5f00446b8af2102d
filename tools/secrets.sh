#!/bin/sh
# Looks for tokens, signatures, secrets and payloads in what a run of the tests
# has logged (see internal/testlog). Usage: tools/secrets.sh FOLDER
set -eu

# A JWT; a SigV4 signature or the header that holds one; a client's frame.
secret='eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.|Signature=[0-9a-f]{16}|AWS4-HMAC-SHA256 Cred|SecretAccessKey:[^ ]{4}|[Bb]earer[. ][A-Za-z0-9_-]{16}|\\?"action\\?":|\\?"data\\?":'

# A check that cannot fail is none.
for planted in 'err="token eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln"' 'Signature=0123456789abcdef01' 'frame="{\"action\":\"publish\"}"'; do
	if ! printf '%s\n' "$planted" | grep -qE "$secret"; then
		echo "tools/secrets.sh does not find: $planted" >&2
		exit 1
	fi
done

set -- "$1"/*.log
lines=$(cat "$@" | wc -l)
if [ "$lines" -eq 0 ]; then
	echo "the tests have logged nothing: SUMU_TEST_LOGS does not reach them" >&2
	exit 1
fi
if found=$(grep -nE "$secret" "$@"); then
	printf 'the log of the tests holds a secret:\n%s\n' "$(printf '%s\n' "$found" | head -5)" >&2
	exit 1
fi
echo "secrets: none in $lines lines of the tests' logs"

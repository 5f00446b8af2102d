#!/bin/sh
# Prints the path of a Python that has the clients websockets and autobahn, and
# boto3, and sees to it that the AWS CLI is there. Installs Debian's where it can:
# as root on Debian. SUMU_PYTHON names a Python that has them from elsewhere.
set -eu

has_clients() { "$1" -c 'import autobahn.asyncio.websocket, boto3, websockets' 2>/dev/null && command -v aws >/dev/null; }

if [ -n "${SUMU_PYTHON:-}" ]; then
	has_clients "$SUMU_PYTHON" && command -v "$SUMU_PYTHON" && exit 0
	echo "SUMU_PYTHON is $SUMU_PYTHON, which cannot import websockets, autobahn and boto3, or there is no aws on PATH" >&2
	exit 1
fi

# Debian's own: one that comes first on PATH does not see Debian's packages.
python=/usr/bin/python3
find_one() { [ -x "$python" ] && has_clients "$python" && echo "$python"; }

find_one && exit 0

packages="python3 python3-websockets python3-autobahn python3-boto3 awscli"
if [ "$(id -u)" = 0 ] && grep -q '^ID=debian$' /etc/os-release 2>/dev/null; then
	echo "installing $packages with apt-get" >&2
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086
	if {
		apt-get -q -o DPkg::Lock::Timeout=240 update &&
			apt-get -q -o DPkg::Lock::Timeout=240 install -y --no-install-recommends $packages
	} >&2; then
		find_one && exit 0
	fi
fi

cat >&2 <<EOF
missing: the Python packages websockets, autobahn and boto3, or the AWS CLI, which the interoperability tests run
    Debian, as root:  apt-get update && apt-get install -y --no-install-recommends $packages
    elsewhere:        install them for a Python 3.9 or later, and name it with SUMU_PYTHON=/path/to/it
EOF
exit 1

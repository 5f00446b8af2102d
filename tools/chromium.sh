#!/bin/sh
# Prints the path of a Chromium. Installs one where it can: as root on Debian.
# SUMU_CHROMIUM names one that is not on PATH.
set -eu

find_one() {
	if [ -n "${SUMU_CHROMIUM:-}" ]; then
		command -v "$SUMU_CHROMIUM" && return 0
		echo "SUMU_CHROMIUM is $SUMU_CHROMIUM, which cannot be run" >&2
		exit 1
	fi
	for name in chromium chromium-browser google-chrome-stable google-chrome; do
		command -v "$name" && return 0
	done
	return 1
}

find_one && exit 0

if [ "$(id -u)" = 0 ] && grep -q '^ID=debian$' /etc/os-release 2>/dev/null; then
	echo "installing chromium with apt-get" >&2
	export DEBIAN_FRONTEND=noninteractive
	if {
		apt-get -q -o DPkg::Lock::Timeout=240 update &&
			apt-get -q -o DPkg::Lock::Timeout=240 install -y --no-install-recommends chromium
	} >&2; then
		find_one && exit 0
	fi
fi

cat >&2 <<'EOF'
missing: Chromium, which the tests of the browser's part run
    Debian, as root:  apt-get update && apt-get install -y --no-install-recommends chromium
    elsewhere:        install Chromium or Chrome, and name it with SUMU_CHROMIUM=/path/to/it
EOF
exit 1

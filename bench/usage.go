package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// cpuUsed is the time that all threads of this process have spent, in the
// program and in the kernel, as the operating system accounts for it.
func cpuUsed() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // Its arguments are constants.
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// settledMemory returns the resident memory of this process, in bytes, once
// everything that can be given back has been.
func settledMemory() (int64, error) {
	// Each collection halves the stacks that have become too large, and pools
	// are emptied by two.
	for range 6 {
		runtime.GC()
	}
	debug.FreeOSMemory()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(statm), &size, &resident); err != nil {
		return 0, fmt.Errorf("/proc/self/statm: %w", err)
	}
	return resident * int64(os.Getpagesize()), nil
}

// load is how many threads wanted to run in the last minute: with more than
// there are cores, rates say little and only CPU does.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}

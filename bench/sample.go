package main

import (
	"runtime"
	"time"
)

// cost is what one run of an operation takes.
type cost struct {
	nanos  float64 // CPU of the whole process, the collector's share included
	allocs float64
}

// measure repeats an operation for at least d.
func measure(d time.Duration, op func() error) (cost, error) {
	for range 3 { // Warms up.
		if err := op(); err != nil {
			return cost{}, err
		}
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, n := cpuUsed(), 0
	for end := time.Now().Add(d); n == 0 || time.Now().Before(end); n++ {
		if err := op(); err != nil {
			return cost{}, err
		}
	}
	used := cpuUsed() - cpu
	runtime.ReadMemStats(&after)
	return cost{
		nanos:  float64(used.Nanoseconds()) / float64(n),
		allocs: float64(after.Mallocs-before.Mallocs) / float64(n),
	}, nil
}

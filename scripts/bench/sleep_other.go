//go:build !linux

package main

import "time"

// sleeper returns the runtime's sleep.
func sleeper() func(time.Duration) { return time.Sleep }

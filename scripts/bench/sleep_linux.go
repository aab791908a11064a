package main

import (
	"runtime"
	"syscall"
	"time"
)

// sleeper returns a sleep for the goroutine that asks for it, which ends within
// some 0.1 ms of its time. The runtime's timers are rounded up to a whole
// millisecond while nothing else runs, and that would count as part of every
// answer.
func sleeper() func(time.Duration) {
	runtime.LockOSThread()
	return func(d time.Duration) {
		left := syscall.NsecToTimespec(d.Nanoseconds())
		for syscall.Nanosleep(&left, &left) == syscall.EINTR {
		}
	}
}

package house

import (
	"context"
	"runtime"
	"syscall"
)

// background runs a service on a thread of its own with less of a claim to the
// cores: building views must not hold up answers. Where the system refuses,
// the service runs as any other.
func background(run func(ctx context.Context) error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), backgroundNice)
		return run(ctx)
	}
}

// backgroundNice is the nice value of background threads: about a tenth of the
// share of the others while these want the cores.
const backgroundNice = 10

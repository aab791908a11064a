package house

import (
	"os"
	"runtime"
)

// minThreads is how many threads a house runs code on at least.
const minThreads = 8

// UseThreads lets the process run on more threads than the machine has cores,
// unless GOMAXPROCS says otherwise. SQLite's calls into the system keep the
// thread they run on: with one thread a core, two commits that wait for the disk
// would stop every answer. The system's scheduler also takes turns more finely
// than the runtime's. It concerns the whole process, so main calls it.
func UseThreads() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(minThreads, 4*runtime.NumCPU()))
	}
}
